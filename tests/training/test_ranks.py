"""One run in several processes, on a sharded set too: the same numbers on 1, 2 and 3, and what is said of a process
that has other data or is gone."""

import json
import os
from pathlib import Path

import forked
import pytest
import torch

from motion_platform.core import config
from motion_platform.core.errors import DataError, MotionPlatformError
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.sharding import shard_set
from motion_platform.training import state as checkpoint
from motion_platform.training import train
from motion_platform.training.ranks import told_when_another_ends

ROOT = Path(__file__).resolve().parents[2]
QUIET = {"device": "cpu", "quiet": True}


@pytest.fixture(scope="session")
def shards(toy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 training clips in 12 shards."""
    return shard_set(PreparedDataset.open(toy_data), tmp_path_factory.mktemp("shards") / "toy", clips=2)


def state_of(folder: str | Path) -> dict:
    return torch.load(Path(folder) / checkpoint.RESUME, weights_only=True)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "MOTION_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}


def test_resumed_in_the_middle_of_shards_equals_uninterrupted(recipe, shards: Path, train_until) -> None:
    options = [f"data.folder={shards}", "data.buffer=8", "train.steps=8", "train.gradient_accumulation=2"]
    whole = train.run(recipe(*options, output="whole"), "whole", **QUIET)
    part = recipe(*options, output="part")
    train_until(part, "part", 5)
    resumed = train.run(part, "part", resume=True, **QUIET)
    before, after = state_of(whole), state_of(resumed)
    for name in before["model"]:
        assert torch.equal(before["model"][name], after["model"][name]), name
    for key, moments in before["optimiser"]["state"].items():
        assert torch.equal(moments["exp_avg"], after["optimiser"]["state"][key]["exp_avg"])


def test_a_shard_that_is_cut_ends_a_run_with_one_line_and_it_goes_on_when_mended(recipe, shards: Path) -> None:
    options = [f"data.folder={shards}", "data.buffer=4", "train.steps=6", "train.save_every=1", "validation.every=0"]
    made = recipe(*options)
    files = sorted(shards.glob("train-*.parquet"))
    contents = {file: file.read_bytes() for file in files[6:]}
    try:
        for file, content in contents.items():
            file.write_bytes(content[:100])
        with pytest.raises(DataError, match=r"train-0000\d.parquet|train-0001\d.parquet") as caught:
            train.run(made, "cut", **QUIET)
        assert "has 100 bytes" in str(caught.value)
        assert "\n" not in str(caught.value)
    finally:
        for file, content in contents.items():
            file.write_bytes(content)
    resume = (Path(made.output) / checkpoint.RESUME).exists()
    train.run(made, "cut", resume=resume, **QUIET)


@pytest.mark.slow
def test_one_two_and_three_processes_are_equal_on_shards(recipe, shards: Path, tmp_path: Path, environment) -> None:
    """First moments of Adam after one step are (1 - beta1) times the first gradient."""
    options = [f"data.folder={shards}", "data.buffer=8", "train.steps=1", "train.gradient_accumulation=6",
               "train.batch_size=12", "train.gradient_clip=0", "train.log_every=1", "validation.every=1",
               "validation.samples=5", "validation.split=train", "slots.text_high.encoder=sentence",
               "slots.text_low.encoder=sentence"]  # fmt: skip
    found, logs = {}, {}
    for processes in (1, 2, 3):
        file = tmp_path / f"{processes}.yaml"
        file.write_text(config.to_yaml(recipe(*options, output=f"run{processes}")))
        done = forked.run(["cli.py", "train", str(file), "--device", "cpu"], environment, processes=processes)
        assert done.returncode == 0, done.stderr[-3000:]
        assert f" {processes} process" in done.stdout
        found[processes] = state_of(tmp_path / f"run{processes}")["optimiser"]["state"]
        logs[processes] = [json.loads(line) for line in (tmp_path / f"run{processes}" / "log.jsonl").open()]
    for processes in (2, 3):
        for key, moments in found[1].items():
            other = found[processes][key]["exp_avg"]
            assert torch.allclose(moments["exp_avg"] / 0.1, other / 0.1, rtol=1e-5, atol=1e-6), key
        assert logs[1][-1] == pytest.approx(logs[processes][-1], rel=1e-4)
        assert "validation/foot_skating" in logs[1][-1]
    assert max(float(m["exp_avg"].abs().max()) for m in found[1].values()) > 1e-3


@pytest.mark.slow
def test_two_nodes_with_different_data_are_told_in_one_line(toy_data: Path, tmp_path: Path, environment):
    """Each process reads the set of its own node."""
    for rank, clips in enumerate((2, 5)):
        shard_set(PreparedDataset.open(toy_data), tmp_path / f"node{rank}", clips=clips)
    start = tmp_path / "start.py"
    start.write_text(
        "import os, runpy, sys\n"
        f"own = f'data.folder={tmp_path}/node' + os.environ['RANK']\n"
        f"sys.argv = ['cli.py', 'train', 'smoke/recogniser', own, 'output={tmp_path}/run', '--device', 'cpu']\n"
        f"runpy.run_path({str(ROOT / 'cli.py')!r}, run_name='__main__')\n"
    )
    done = forked.run([str(start)], environment, processes=2)
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert any("process 1 (on " in line and "has another prepared set than process 0" in line for line in said), said


@pytest.mark.parametrize(
    "message",
    ["[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:1", "NCCL error: remote process exited"],
)
def test_a_process_that_is_gone_is_one_line(message: str) -> None:
    said = pytest.raises(MotionPlatformError, match=r"another process of this run ended.*go on with it --resume")
    with said, told_when_another_ends(2, "it --resume"):
        raise RuntimeError(message)
    for world, other in ((1, message), (2, "shapes cannot be multiplied")):
        with pytest.raises(RuntimeError) as caught, told_when_another_ends(world, ""):
            raise RuntimeError(other)
        assert not isinstance(caught.value, MotionPlatformError)
