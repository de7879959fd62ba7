"""A sharded set in an object store, read by its address: a real client (s3fs) talks to a server of this machine (moto),
and what is trained is what a folder gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from motion_platform.core.errors import DataError
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.sharded import ShardedDataset
from motion_platform.data.sharding import shard_set
from motion_platform.training import state as checkpoint
from motion_platform.training import train

NEEDS = "needs s3fs and a server of S3: pip install -e '.[s3]' 'moto[server]'"
NOBODY = "http://127.0.0.1:9"
"""Where no server listens."""
OPTIONS = ["data.buffer=8", "train.steps=20", "train.gradient_accumulation=2"]


@pytest.fixture
def shards(toy_data: Path, tmp_path: Path) -> Path:
    """24 training clips in 6 shards."""
    return shard_set(PreparedDataset.open(toy_data), tmp_path / "toy", clips=4)


@pytest.fixture
def store(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A client of a server that holds the shards as s3://bucket/toy; all is gone afterwards."""
    s3fs = pytest.importorskip("s3fs", reason=NEEDS)
    server = pytest.importorskip("moto.server", reason=NEEDS).ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {"ENDPOINT_URL": f"http://{host}:{port}", "ACCESS_KEY_ID": "me", "SECRET_ACCESS_KEY": "secret"}
    for name, value in {**settings, "DEFAULT_REGION": "us-east-1", "MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))
    s3fs.S3FileSystem.clear_instance_cache()
    client = s3fs.S3FileSystem()
    client.mkdir("bucket")
    client.put(f"{shards}/", "bucket/toy/", recursive=True)
    yield client
    client.rm("bucket", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def state_of(folder: str | Path) -> dict:
    return torch.load(Path(folder) / checkpoint.RESUME, weights_only=True)


@pytest.mark.slow
def test_a_run_from_a_store_is_that_from_a_folder_also_resumed_in_mid_epoch(
    store, shards: Path, recipe, train_until
) -> None:
    """Three steps of eight clips are an epoch, so that step 10 is in the midst of the fourth."""
    here = train.run(recipe(*OPTIONS, f"data.folder={shards}", output="here"), "here", device="cpu", quiet=True)
    distant = recipe(*OPTIONS, "data.folder=s3://bucket/toy", output="distant")
    assert isinstance(PreparedDataset.open(distant.data.folder), ShardedDataset)
    train_until(distant, "distant", 10)
    there = train.run(distant, "distant", resume=True, device="cpu", quiet=True)
    one, other = state_of(here), state_of(there)
    assert one["model"].keys() == other["model"].keys()
    for name in one["model"]:
        assert torch.equal(one["model"][name], other["model"][name]), name
    for key, moments in one["optimiser"]["state"].items():
        assert torch.equal(moments["exp_avg"], other["optimiser"]["state"][key]["exp_avg"])


def test_what_is_not_there_or_damaged_is_one_line(store, shards: Path) -> None:
    name = "train-00002.parquet"
    for place, message in (
        ("s3://bucket/other", r"s3://bucket/other/meta.json: cannot be read \(nothing is there: "),
        ("s3://nobody/toy", r"s3://nobody/toy/meta.json: cannot be read \(nothing is there: .*bucket does not exist"),
    ):
        assert "\n" not in refused(message, place)
    opened = PreparedDataset.open("s3://bucket/toy")
    k = next(k for k, shard in enumerate(opened.shards) if shard.file == name)
    whole = (shards / name).read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    for content, message in (
        (bytes(damaged), f"s3://bucket/toy/{name}: cannot be read as Parquet .*checksum"),
        (whole[:-50], f"s3://bucket/toy/{name}: has {len(whole) - 50} bytes, not {len(whole)}"),
        (None, rf"s3://bucket/toy/{name}: cannot be read \(nothing is there: .*\); copy it again"),
    ):
        store.rm_file(f"bucket/toy/{name}")
        if content is not None:
            store.pipe_file(f"bucket/toy/{name}", content)
        assert "\n" not in refused(message, "s3://bucket/toy", k)


def test_a_store_that_does_not_answer_is_one_line(store, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = PreparedDataset.open("s3://bucket/toy")
    opened.shard(0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOBODY)
    type(store).clear_instance_cache()
    with pytest.raises(DataError, match=r"connect.*\); see that the store answers; training goes on") as caught:
        opened.shard(1)
    assert "\n" not in str(caught.value)
    assert "\n" not in refused("meta.json: cannot be read .*connect", "s3://bucket/toy")


def refused(message: str, place: str, shard: int = 0) -> str:
    """What is said of a shard."""
    with pytest.raises(DataError, match=message) as caught:
        PreparedDataset.open(place).shard(shard)
    return str(caught.value)
