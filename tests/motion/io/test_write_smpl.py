"""AMASS's layout, read back by our own reader: the same poses of a body of SMPL, the same places of any other body."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motion_platform.core.errors import DataError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import write_smpl
from motion_platform.motion.retarget import to_humanml3d
from motion_platform.motion.skeleton import Skeleton, get_skeleton

SAMPLE = Path(__file__).parents[3] / "motion_platform" / "sample"
AT = get_skeleton("humanml3d").index


@pytest.fixture(scope="module")
def walk() -> Clip:
    """A walk on the 22 joints at its own 30 fps, made by a model."""
    source = io.load(SAMPLE / "cmu" / "02_03.bvh")
    told = {"model": "walker", "seed": 3, "licence": "CC BY-NC", "text": "a <b>walk</b>"}
    return to_humanml3d(source, fps=source.fps).with_(captions=("a <b>walk</b>",), info=told)


def test_a_file_has_the_fields_of_amass_and_plays_as_the_body_did(walk: Clip, tmp_path: Path) -> None:
    (path,) = io.save(walk, tmp_path / "walk.npz", layout="amass")
    with np.load(path, allow_pickle=False) as fields:
        shapes = {name: fields[name].shape for name in fields.files}
        assert shapes == {
            "poses": (len(walk), 156), "trans": (len(walk), 3), "betas": (16,), "mocap_framerate": (), "gender": (),
            "motion_platform_provenance": (),
        }  # fmt: skip
        assert (float(fields["mocap_framerate"]), str(fields["gender"])) == (30.0, "neutral")
        assert np.abs(np.linalg.norm(fields["poses"].reshape(len(walk), 52, 3), axis=-1)).max() <= np.pi + 1e-9
        x, y, z = walk.joints[:, 0].T
        np.testing.assert_allclose(fields["trans"], np.stack([x, -z, y], 1), atol=0.06, err_msg="AMASS is Z up")
    back = io.load(path)
    assert "notes" not in back.info, "nothing had to be guessed"
    away = np.linalg.norm(back.joints - walk.joints, axis=-1)
    ends = {end: [AT(f"{side}_{end}") for side in ("left", "right")] for end in ("ankle", "foot", "knee")}
    assert away[:, ends["ankle"] + ends["foot"]].max() < 0.005
    assert away[:, ends["knee"]].max() < 0.03, "which would be twice that with the pelvis where it was"
    assert away[:, AT("left_wrist")].max() < 0.04
    assert away.mean() < 0.03
    assert away.max() < 0.12, "hips and collars are SMPL's own"
    assert back.captions == walk.captions
    assert {key: back.info[key] for key in walk.info} == walk.info


def test_poses_that_came_from_such_a_file_go_back_as_they_were(walk: Clip, tmp_path: Path) -> None:
    once = io.load(io.save(walk, tmp_path / "one.npz", layout="amass")[0])
    again = io.load(io.save(once, tmp_path / "two.npz", layout="amass")[0])
    np.testing.assert_allclose(again.joints, once.joints, atol=1e-5)
    assert np.abs((again.rotations * once.rotations).sum(-1)).min() > 1 - 1e-5
    named = once.with_(info={})  # the smpl *names* alone say nothing of the rest pose
    assert np.abs(io.load(io.save(named, tmp_path / "n.npz", layout="amass")[0]).joints - once.joints).max() < 0.02


def test_other_bodies_are_put_on_the_22_joints_and_what_is_none_is_refused(tmp_path: Path) -> None:
    source = io.load(SAMPLE / "cmu" / "06_09.bvh")
    one, two = io.save([source, source], tmp_path / "walk.npz", layout="amass")
    assert (one.name, two.name) == ("walk_1.npz", "walk_2.npz")
    back, meant = io.load(one), to_humanml3d(source, fps=source.fps)
    assert (back.fps, len(back)) == (source.fps, len(meant))
    assert np.linalg.norm(back.joints - meant.joints, axis=-1).mean() < 0.03
    snake = Clip(np.zeros((2, 2, 3), np.float32), 20, Skeleton("snake", ("a", "b"), (-1, 0)))
    with pytest.raises(DataError, match="motion 'motion'"):
        write_smpl.write_amass(snake, tmp_path / "snake.npz")
    assert not (tmp_path / "snake.npz").exists()
