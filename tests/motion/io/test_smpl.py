"""Parameters of SMPL as AMASS, kimodo, GVHMR and WHAM lay them out: the same person, wherever up is.

The fields are those of the programs' own code: GVHMR's hmr4d/model/gvhmr/gvhmr_pl_demo.py, WHAM's demo.py, kimodo's
docs/source/user_guide/output_formats.md.
"""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from motion_platform.core.errors import DataError, UsageError
from motion_platform.motion import io
from motion_platform.motion.io import smpl
from motion_platform.motion.skeleton import get_skeleton

AT = get_skeleton("humanml3d").index
FRAMES = 6
ABOUT_X = {"y": 0.0, "z": np.pi / 2, "-y": np.pi}
"""The turn about X that takes a body which stands along Y to one that stands along the axis."""


def motion(up: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(root (T, 3), body (T, 63), path (T, 3)) of a person who turns by half a radian, bends the left elbow and goes
    one metre along the world's X, in a world with that axis up."""
    world = Rotation.from_rotvec([ABOUT_X[up], 0, 0])
    heading = Rotation.from_rotvec(np.linspace(0, 0.5, FRAMES)[:, None] * [0, 1, 0])
    body = np.zeros((FRAMES, 63))
    body[:, 3 * (AT("left_elbow") - 1) + 1] = -1.0
    path = world.apply(np.linspace(0, 1, FRAMES)[:, None] * [1.0, 0, 0] + [0, 1.2, 0])
    return (world * heading).as_rotvec(), body, path


def files(folder: Path) -> dict[str, Path]:
    """The person of :func:`motion` as each program writes it."""
    import torch

    (root, body, path), hands = motion("z"), np.zeros((FRAMES, 90))
    np.savez(folder / "amass.npz", poses=np.hstack([root, body, hands]), trans=path, mocap_framerate=np.array(30.0))
    parts = {"root_orient": root, "pose_body": body, "pose_hand": hands, "trans": path}
    np.savez(folder / "kimodo.npz", **parts, mocap_frame_rate=np.array(30.0), surface_model_type=np.array("smplx"))
    root, body, path = motion("y")
    world = {"global_orient": root, "body_pose": body, "transl": path, "betas": np.zeros((FRAMES, 10))}
    camera = {name: np.full_like(value, 9.0) for name, value in world.items()}
    saved = {
        "smpl_params_global": {name: torch.from_numpy(value).float() for name, value in world.items()},
        "smpl_params_incam": {name: torch.from_numpy(value).float() for name, value in camera.items()},
        "K_fullimg": torch.eye(3),
        "net_outputs": {"pred_context": torch.zeros(1, FRAMES, 4)},
    }
    torch.save(saved, folder / "hmr4d_results.pt")
    np.savez(folder / "gvhmr.npz", **world)
    pose = np.hstack([root, body, np.zeros((FRAMES, 6))])
    np.savez(folder / "wham.npz", pose_world=pose, trans_world=path, fps=np.array(30))
    return {path.stem: path for path in sorted(folder.iterdir())}


def test_one_person_in_the_files_of_every_program(tmp_path: Path) -> None:
    made = files(tmp_path)
    assert len(made) == 5
    first = io.load(made["amass"])
    for name, path in made.items():
        clip = io.load(path)
        np.testing.assert_allclose(clip.joints, first.joints, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(clip.joints[-1, 0, 0] - clip.joints[0, 0, 0], 1.0, atol=1e-6)
        assert clip.fps == 30
        assert clip.skeleton.name == "smpl"
        high = clip.joints[:, AT("head"), 1] - clip.joints[:, AT("left_foot"), 1]
        assert ((high > 1.3) & (high < 1.7)).all(), name
        upper, fore = (clip.joints[0, AT(f"left_{b}")] - clip.joints[0, AT(f"left_{a}")]
                       for a, b in (("shoulder", "elbow"), ("elbow", "wrist")))  # fmt: skip
        bend = np.arccos(upper @ fore / np.linalg.norm(upper) / np.linalg.norm(fore))
        assert bend == pytest.approx(1.0, abs=0.12), name  # the rest pose's arms are straight to 0.1


def test_what_a_file_does_not_say_is_said_by_us(tmp_path: Path) -> None:
    made = files(tmp_path)
    assert "30 fps, as GVHMR writes" in io.load(made["gvhmr"]).info["notes"][0]
    assert io.load(made["gvhmr"], fps=25).fps == 25
    assert "notes" not in io.load(made["gvhmr"], fps=25).info
    assert "notes" not in io.load(made["wham"]).info
    with np.load(made["wham"]) as archive:
        np.savez(tmp_path / "w.npz", **{name: archive[name] for name in archive.files if name != "fps"})
    with pytest.raises(DataError, match=r"no single frame rate .* --fps N"):
        io.load(tmp_path / "w.npz")


@pytest.mark.parametrize("axis", ["y", "-y"])
def test_bodies_that_stand_along_another_axis_are_stood_up_with_a_note(tmp_path: Path, axis: str) -> None:
    """BEAT2 writes AMASS's keys Y up; before a camera Y points down."""
    root, body, path = motion(axis)
    np.savez(tmp_path / "a.npz", poses=np.hstack([root, body]), trans=path, mocap_framerate=30)
    clip = io.load(tmp_path / "a.npz")
    np.testing.assert_allclose(clip.joints, io.load(files(tmp_path)["amass"]).joints, atol=1e-5)
    assert clip.info["up"] == axis
    assert {"y": "read as Y up", "-y": "read as Y down"}[axis] in clip.info["notes"][0]
    assert "--up z" in clip.info["notes"][0]


def test_an_axis_that_is_given_is_taken(tmp_path: Path) -> None:
    made = files(tmp_path)
    lying = io.load(made["gvhmr"], up="z")
    assert np.ptp(lying.joints[0, :, 1]) < 1.2
    assert lying.info["up"] == "z"
    with pytest.raises(UsageError, match="unknown up axis 'x'"):
        io.load(made["amass"], up="x")


@pytest.mark.parametrize(
    ("layout", "fields", "message"),
    [
        ("gvhmr", {"body_pose": np.zeros((FRAMES, 60))}, r"global_orient \(6, 3\) and body_pose \(6, 60\); GVHMR has"),
        ("gvhmr", {"body_pose": np.zeros((4, 63))}, r"body_pose \(4, 63\)"),
        ("gvhmr", {"transl": np.zeros((4, 3))}, "transl has shape"),
        ("wham", {"trans_world": np.full((FRAMES, 3), np.nan)}, "pose_world or trans_world have a NaN"),
        ("kimodo", {"mocap_frame_rate": np.array([30.0, 30.0])}, "no single frame rate"),
    ],
)
def test_broken_ones_are_refused_in_a_line(tmp_path: Path, layout: str, fields: dict, message: str) -> None:
    path = files(tmp_path)[layout]
    with np.load(path) as archive:
        np.savez(path, **{**archive, **fields})
    with pytest.raises(DataError, match=message) as caught:
        io.load(path)
    assert "\n" not in str(caught.value)


def test_a_layout_is_told_by_its_fields() -> None:
    for layout in smpl.LAYOUTS:
        assert smpl.layout_of({*layout.fields, "betas"}) is layout
        assert smpl.layout_of(layout.fields - {layout.trans}) is None
        assert layout.program in smpl.known_layouts()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"other": np.zeros((22, 3))}, "has none of J, joints, J_regressed"),
        ({"J": np.zeros((21, 3))}, r"rest joints must be finite \(22 or more, 3\), got \(21, 3\)"),
        ({"joints": np.zeros((22, 2))}, r"got \(22, 2\)"),
        ({"J_regressed": np.zeros((1, 22, 3))}, r"got \(1, 22, 3\)"),
        ({"J": np.full((22, 3), np.nan)}, r"got \(22, 3\)"),
    ],
)
def test_a_body_without_22_rest_joints_is_refused(tmp_path: Path, fields: dict, said: str) -> None:
    np.savez(tmp_path / "body.npz", **fields)
    path = files(tmp_path)["amass"]
    with pytest.raises(DataError, match=rf"body\.npz: .*{said}"):
        io.load(path, body=tmp_path / "body.npz")
    with pytest.raises(DataError, match="no such file with rest joints"):
        io.load(path, body=tmp_path / "none.npz")


def test_the_first_22_rest_joints_of_a_body_are_taken_from_either_kind_of_file(tmp_path: Path) -> None:
    rest = np.cumsum(np.full((24, 3), 0.02), 0)
    np.save(tmp_path / "body.npy", rest)
    np.savez(tmp_path / "body.npz", J_regressed=rest)
    path = files(tmp_path)["amass"]
    first, second = (io.load(path, body=tmp_path / name) for name in ("body.npy", "body.npz"))
    np.testing.assert_array_equal(first.joints, second.joints)
    parents = get_skeleton("humanml3d").parents
    np.testing.assert_allclose(first.skeleton.offsets[1:], (rest[:22] - rest[list(parents)])[1:], atol=1e-9)


@pytest.mark.parametrize(
    ("tilt", "share", "found"), [(36.0, 1.0, "z"), (37.5, 1.0, "y"), (36.0, 0.61, "z"), (36.0, 0.59, "y")]
)
def test_another_axis_is_up_where_most_roots_hold_the_body_along_it(tilt: float, share: float, found: str) -> None:
    """cos of 36.9 degrees is 0.8. The layout is Y up, its roots turned to Z but for a tilt in a share of the frames."""
    layout = next(layout for layout in smpl.LAYOUTS if layout.up == "y")
    poses = np.zeros((100, 66))
    poses[:, 0] = np.radians(45.0)
    poses[: round(100 * share), 0] = np.radians(90.0 - tilt)
    notes: list[str] = []
    assert smpl._upward(layout, poses, notes) == found
    assert bool(notes) == (found == "z")


def test_a_motion_has_one_frame_at_least_and_so_many_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = next(layout for layout in smpl.LAYOUTS if layout.program == "GVHMR")

    def read(frames: int) -> int:
        fields = {
            "global_orient": np.zeros((frames, 3)),
            "body_pose": np.zeros((frames, 63)),
            "transl": np.zeros((frames, 3)),
        }
        return len(smpl.to_clip(Path("a.npz"), layout, fields))

    monkeypatch.setattr(smpl, "MAX_FRAMES", 5)
    assert [read(1), read(5)] == [1, 5]
    for frames in (0, 6):
        with pytest.raises(DataError, match=rf"a\.npz: has {frames} frames; 1 to 5 are allowed"):
            read(frames)


def test_a_rate_is_a_single_number() -> None:
    layout = next(layout for layout in smpl.LAYOUTS if layout.program == "WHAM")
    fields = {"pose_world": np.zeros((2, 72)), "trans_world": np.zeros((2, 3))}
    for rate in (np.array(25.0), np.array([25.0]), np.array([[25]])):
        for name in smpl.RATES:
            assert smpl.to_clip(Path("a.npz"), layout, fields | {name: rate}).fps == 25.0
    for more in ({}, {"fps": np.array([25.0, 25.0])}, {"fps": np.zeros(0)}):
        with pytest.raises(
            DataError, match=r"a\.npz: has no single frame rate \(mocap_framerate, mocap_frame_rate, fps\)"
        ):
            smpl.to_clip(Path("a.npz"), layout, fields | more)
    assert smpl.to_clip(Path("a.npz"), layout, fields, fps=40.0).fps == 40.0
