import os

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError, OutputError
from motion_platform.model.feature_cache import FeatureCache


def fill(cache, count=5):
    generator = torch.Generator().manual_seed(0)
    made = {f"text {i}": torch.randn(i, 3, generator=generator) for i in range(count)}
    for key, value in made.items():
        cache.put("abc", key, value)
    return made


def test_memory_only():
    cache = FeatureCache()
    made = fill(cache)
    cache.flush()
    assert set(cache.table("abc")) == set(made)
    assert cache.table("other") == {}


def test_what_was_written_is_read_bit_for_bit(tmp_path):
    cache = FeatureCache(tmp_path)
    made = fill(cache)
    cache.flush()
    for table in (cache.table("abc"), FeatureCache(tmp_path).table("abc")):
        assert set(table) == set(made)
        assert all(torch.equal(table[key], made[key]) for key in made), "also the text without tokens"
    assert FeatureCache(tmp_path).table("other") == {}


def test_two_writers_do_not_disturb_each_other(tmp_path):
    one, two = FeatureCache(tmp_path), FeatureCache(tmp_path)
    one.put("abc", "a", torch.ones(1, 3))
    two.put("abc", "b", torch.zeros(2, 3))
    one.flush()
    two.flush()
    assert set(FeatureCache(tmp_path).table("abc")) == {"a", "b"}


def test_damaged_shard_says_what_to_do(tmp_path):
    cache = FeatureCache(tmp_path)
    fill(cache)
    cache.flush()
    (rows,) = (tmp_path / "abc").glob("*.npy")
    np.save(rows, np.zeros((3, 3), np.float32))
    with pytest.raises(DataError, match=r"damaged feature cache.*delete its folder"):
        FeatureCache(tmp_path).table("abc")
    rows.write_bytes(b"")
    with pytest.raises(DataError, match="damaged feature cache"):
        FeatureCache(tmp_path).table("abc")


def test_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    cache = FeatureCache(tmp_path)
    fill(cache)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        cache.flush()
    assert list((tmp_path / "abc").iterdir()) == []
    monkeypatch.undo()
    cache.flush()
    assert len(FeatureCache(tmp_path).table("abc")) == 5, "nothing was forgotten"
