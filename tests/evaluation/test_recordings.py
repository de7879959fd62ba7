"""The interval over recordings: closed forms, and the spread over sets that are really drawn anew."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from motion_platform.core.contracts import State
from motion_platform.evaluation import recordings
from motion_platform.metrics.base import RatioState
from motion_platform.metrics.frechet import Frechet
from motion_platform.metrics.sets import Rows, SetState


def ratio(values: dict[str, float]) -> RatioState:
    return RatioState({clip: {"value": (value, 1.0)} for clip, value in values.items()})


def test_of_a_mean_over_few_recordings_it_is_the_textbook_interval() -> None:
    values = dict(zip("abcdefgh", np.random.default_rng(0).normal(size=8).tolist(), strict=True))
    expected = 1.96 * np.std(list(values.values()), ddof=1) / math.sqrt(8)
    assert recordings.intervals(ratio(values), {clip: clip for clip in values}) == {"value": pytest.approx(expected)}


def test_mirrored_copies_do_not_narrow_it() -> None:
    values = {f"clip{i}": float(value) for i, value in enumerate(np.random.default_rng(1).normal(size=15))}
    alone = recordings.intervals(ratio(values), {clip: clip for clip in values})
    both = values | {f"{clip}_m": value for clip, value in values.items()}
    together = recordings.intervals(ratio(both), {clip: clip.removesuffix("_m") for clip in both})
    assert together["value"] == pytest.approx(alone["value"])
    as_if_each_were_one = recordings.intervals(ratio(both), {clip: clip for clip in both})
    assert as_if_each_were_one["value"] < 0.85 * alone["value"]


def test_predictions_of_one_clip_are_of_one_recording() -> None:
    several = {f"clip{i}#{g}": float(i) for i in range(6) for g in range(5)}
    clips = {f"clip{i}": f"clip{i}" for i in range(6)}
    once = recordings.intervals(ratio({clip: float(i) for i, clip in enumerate(clips)}), clips)
    assert recordings.intervals(ratio(several), clips) == {"value": pytest.approx(once["value"])}


def frechet_state(seed: int, n: int) -> SetState:
    random = np.random.default_rng(seed)
    ids = [f"{i:04d}" for i in range(n)]
    motion, truth = random.normal(0.3, 1, (n, 4)), random.normal(size=(n, 4))
    return SetState(Frechet(), [Rows(ids, motion, truth)], set(ids))


def test_of_a_frechet_distance_it_is_the_spread_over_sets_drawn_anew() -> None:
    clips = {f"{i:04d}": f"{i:04d}" for i in range(300)}
    spread = 1.96 * np.std([frechet_state(seed, 300).compute()["frechet"] for seed in range(200)], ddof=1)
    estimates = [recordings.intervals(frechet_state(seed, 300), clips)["frechet"] for seed in range(10)]
    assert np.median(estimates) == pytest.approx(spread, rel=0.35)


def test_there_is_none_where_nothing_can_be_left_out() -> None:
    class Whole(State):
        ids = {"a", "b", "c"}

        def merge(self, other: State) -> State:
            return self

        def compute(self) -> dict[str, float]:
            return {"value": 1.0}

    clips = {clip: clip for clip in "abc"}
    assert recordings.intervals(Whole(), clips) == {}
    assert recordings.intervals(ratio({"a": 1.0, "b": 2.0}), {"a": "one file", "b": "one file"}) == {}
    rows = Rows(list("abcde"), np.eye(5, 4), np.eye(5, 4)[::-1])  # 5 samples of 4 dimensions: one less is too few
    assert recordings.intervals(SetState(Frechet(), [rows], set("abcde")), {clip: clip for clip in "abcde"}) == {}


def test_groups_hold_whole_recordings_and_like_numbers_of_them() -> None:
    names = [f"file{i // 3}" for i in range(300)]
    groups = recordings.groups_of(names)
    assert all(len(set(groups[i : i + 3])) == 1 for i in range(0, 300, 3))
    sizes = np.bincount(groups)
    assert len(sizes) == recordings.GROUPS
    assert set(sizes) == {15}
    assert not torch.equal(torch.tensor(groups), torch.arange(300) // 15), "in the order of their names"
