"""``motion data``: a prepared set as shards, and what is said of it."""

from pathlib import Path

from typer.testing import CliRunner

from motion_platform.cli.app import app
from motion_platform.data.prepared import PreparedDataset


def test_a_set_is_sharded_by_its_folder_and_described(toy_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    command = ["data", "shard", str(toy_data), "--clips", "9", "--out", str(out)]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0
    assert f"sharded: {out} (5 files)" in done.output
    said = CliRunner().invoke(app, ["data", "info", str(out)], catch_exceptions=False).output
    assert "24 clips (0 mirrored)" in said
    assert "shards       5 Parquet files" in said
    assert sorted(PreparedDataset.open(out).ids()) == PreparedDataset.open(toy_data).ids()
