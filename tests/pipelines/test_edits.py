from __future__ import annotations

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.schema import Motion
from motion_platform.motion import retarget
from motion_platform.motion.clip import Clip
from motion_platform.pipelines import edits

NAME = "humanml3d_essential"


def shape_of(joints: np.ndarray) -> np.ndarray:
    """Distances between all joints of a frame: the pose, whatever its place and direction. (T, J, 3) -> (T, J, J)."""
    return np.linalg.norm(joints[:, :, None] - joints[:, None], axis=-1)


@pytest.mark.parametrize(
    ("keep", "options", "kept"),
    [
        ("prefix", {"keep_seconds": 0.5, "seconds": 2.0}, range(0, 10)),
        ("in_between", {"keep_seconds": 0.5}, [*range(0, 10), *range(50, 60)]),
        ("keyframes", {"frames": [0, 20, 59]}, [0, 20, 59]),
    ],
)
def test_an_edit_keeps_frames_and_makes_the_rest(run, clip: Clip, keep: str, options: dict, kept) -> None:
    made = edits.edit(run, clip, keep, "a person walks", seed=1, samples=2, **options)
    assert len(made) == 2
    assert len(made[0]) == (40 if keep == "prefix" else 60)
    given = retarget.to_humanml3d(clip).joints
    times = np.arange(len(made[0])) / 20
    marked = [any(a - 1e-6 <= t < b - 1e-6 for a, b in made[0].info["kept"]) for t in times]
    assert np.flatnonzero(marked).tolist() == list(kept)
    for result in made:
        assert np.abs(shape_of(result.joints[list(kept)]) - shape_of(given[list(kept)])).max() < 1e-3
    others = [f for f in range(5, len(made[0]) - 1) if f not in set(kept)]
    assert np.abs(shape_of(made[0].joints[others]) - shape_of(given[others])).max() > 1e-2
    assert np.abs(made[0].joints[others] - made[1].joints[others]).max() > 1e-3


def test_an_edit_keeps_half_a_body(run, clip: Clip) -> None:
    given = retarget.to_humanml3d(clip)
    spec = run.model.spec
    whole = Motion(torch.zeros(1, 60, spec.dim), torch.tensor([60]), spec)
    for keep, other in (("upper_body", "lower_body"), ("lower_body", "upper_body")):
        mask, rest = (edits.edit_of(whole, name, 60, 1.0, ()).keep for name in (keep, other))
        assert not (mask & rest).any()
        assert (mask | rest).all()
        result = edits.edit(run, clip, keep, "a person waves", seed=1)[0]
        own, foreign = (given.skeleton.indices(part) for part in (keep, other))
        wanted = given.joints[: len(result)]
        assert np.abs(shape_of(result.joints[:, own]) - shape_of(wanted[:, own])).max() < 1e-3
        assert np.abs(shape_of(result.joints[:, foreign]) - shape_of(wanted[:, foreign])).max() > 1e-2


@pytest.mark.parametrize(
    ("keep", "options", "said"),
    [
        ("perfix", {}, "did you mean 'prefix'"),
        ("prefix", {"keep_seconds": 99.0}, "--keep-seconds"),
        ("prefix", {"keep_seconds": 0.0}, "--keep-seconds"),
        ("prefix", {"keep_seconds": float("nan")}, "--keep-seconds: got nan"),
        ("in_between", {"keep_seconds": float("inf")}, "--keep-seconds: got inf"),
        ("in_between", {"keep_seconds": 1.5}, "--keep-seconds"),
        ("keyframes", {}, "--frames: got none"),
        ("keyframes", {"frames": [70]}, r"--frames: got \[70\]; allowed: frames from 0 to 59"),
        ("in_between", {"seconds": 3.0}, "only --keep prefix"),
    ],
)
def test_impossible_edits_are_refused(run, clip: Clip, keep: str, options: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        edits.edit(run, clip, keep, "a person walks", **options)


def test_an_edit_of_one_frame_names_the_motion(run, clip: Clip) -> None:
    one = clip.with_(joints=clip.joints[:1], name="one")
    with pytest.raises(DataError, match="motion 'one': has 1 frame at 20 fps; at least 2"):
        edits.edit(run, one, "lower_body", "a person walks")
