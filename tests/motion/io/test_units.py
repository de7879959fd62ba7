import numpy as np
import pytest
from stored_arrays import check_stored

from motion_platform.core.errors import DataError, UnknownName
from motion_platform.motion.io import units
from motion_platform.motion.skeleton import get_skeleton


def test_height_of_a_known_body_is_about_right_whatever_the_pose() -> None:
    skeleton = get_skeleton("humanml3d")
    lengths = np.linalg.norm(skeleton.offsets, axis=-1)
    assert units.body_height(lengths, skeleton.parents) == pytest.approx(1.65, abs=0.2)


def test_longest_way_may_run_beside_the_root() -> None:
    #        0 - 1 - 2 (long), 1 - 3 (long): the longest way is 2 - 1 - 3
    assert units.body_height([0, 1, 5, 4], [-1, 0, 1, 1]) == pytest.approx(9 / units.PATH_TO_HEIGHT)
    assert units.body_height([0, 2, 3], [-1, 0, 1]) == pytest.approx(5 / units.PATH_TO_HEIGHT)


@pytest.mark.parametrize("unit", list(units.UNITS))
def test_every_unit_is_found(unit: str) -> None:
    for height in (1.4, 1.7, 2.0):
        assert units.find_unit(height / units.UNITS[unit], None, "x")[0] == unit


@pytest.mark.parametrize("height", [0.0, 1e-9, 1e9, float("nan"), float("inf"), 1e-4])
def test_no_person_in_any_unit_is_an_error(height: float) -> None:
    with pytest.raises(DataError, match="units="):
        units.find_unit(height, None, "x")


def test_unknown_units_are_named() -> None:
    with pytest.raises(UnknownName, match="did you mean 'inch'"):
        units.find_unit(1, "inches", "x")


NAMES = ("Hips", "Head", "LeftFoot", "RightFoot", "LeftHand", "RightHand")
STANDING = np.array([[0, 1, 0], [0, 1.6, 0], [0.1, 0, 0], [-0.1, 0, 0], [0.3, 0.8, 0], [-0.3, 0.8, 0]])


def along(axis: str, pose: np.ndarray = STANDING) -> np.ndarray:
    """A pose in a world of another up axis."""
    x, y, z = pose.T
    return np.stack({"y": (x, y, z), "z": (x, -z, y), "-y": (x, -y, -z)}[axis], axis=-1)


@pytest.mark.parametrize("axis", ["y", "z", "-y"])
def test_the_axis_along_which_somebody_stands_is_up(axis: str) -> None:
    pose = along(axis)
    frames = np.tile(pose, (10, 1, 1))
    assert units.find_up(NAMES, pose, frames, None, "x") == axis
    np.testing.assert_allclose(units.to_y_up(pose, axis), STANDING, atol=1e-12)
    np.testing.assert_allclose(units.from_y_up(STANDING, axis), pose, atol=1e-12)
    assert units.up_notes(axis, axis) == []
    assert units.up_notes(axis, None) == ([] if axis == "y" else units.up_notes(axis, None))
    assert ("Y down" in str(units.up_notes(axis, None))) == (axis == "-y")
    assert units.find_up(NAMES, pose, frames, "y", "x") == "y"


def test_a_camera_whose_root_turns_a_body_that_rests_upright_has_its_y_down() -> None:
    assert units.find_up(NAMES, STANDING, np.tile(along("-y"), (10, 1, 1)), None, "x") == "-y"


def test_a_neck_without_a_head_says_it_too() -> None:
    pose = along("z")
    names = ("pelvis", "LowerNeck", *NAMES[2:])
    assert units.find_up(names, pose, np.tile(pose, (10, 1, 1)), None, "x") == "z"


def test_who_stands_on_the_hands_is_no_camera() -> None:
    handstand = STANDING * [1, -1, -1] + [0, 2, 0]
    handstand[4:] = [[0.2, -0.2, 0], [-0.2, -0.2, 0]]
    assert units.find_up(NAMES, STANDING, np.tile(handstand, (10, 1, 1)), None, "x") == "y"


def test_a_rest_pose_along_z_says_it_for_who_bends_in_the_only_frame() -> None:
    bent = along("z", STANDING @ np.array([[1, 0, 0], [0, 0.5, 0.87], [0, -0.87, 0.5]]))
    assert units.find_up(NAMES, along("z"), bent[None], None, "x") == "z"
    assert units.find_up(NAMES, along("z"), STANDING[None], None, "x") == "y"  # the root has turned it
    assert units.find_up(NAMES, along("z"), along("z")[None] - [0, 0, 1], None, "x") == "z"  # the root at zero
    lying = along("z", STANDING[:, [1, 0, 2]])[None] + [0, 0.5, -0.8]  # in a world with Y up: above its floor
    assert units.find_up(NAMES, along("z"), lying, None, "x") == "y"


def test_a_rest_pose_of_local_axes_says_nothing() -> None:
    rest = STANDING * [1, -0.2, 1]
    crouching = np.tile(STANDING @ np.array([[1, 0, 0], [0, 0.6, 0.8], [0, -0.8, 0.6]]), (5, 1, 1))
    assert units.find_up(NAMES, rest, crouching, None, "x") == "y"


def test_who_lies_or_hangs_is_announced() -> None:
    assert units.lies_note(NAMES, np.tile(STANDING, (4, 1, 1))) is None
    for pose in (along("z"), along("-y")):
        assert "--up z" in str(units.lies_note(NAMES, np.tile(pose, (4, 1, 1))))
    half = np.concatenate([np.tile(STANDING, (4, 1, 1)), np.tile(along("z"), (4, 1, 1))])
    assert units.lies_note(NAMES, half) is None
    assert units.lies_note(("a", "b", "c", "d", "e", "f"), half[4:]) is None


@pytest.mark.parametrize(("height", "unit"), [(4.7, "m"), (514.5, "cm"), (0.2, "m")])
def test_an_elephant_is_shown_in_the_unit_that_fits_best(height: float, unit: str) -> None:
    assert units.find_unit(height, None, "x")[0] == unit
    assert "say --units" in str(units.size_note(height, unit))


def tilted(degrees: float, lift: float = 0.0) -> np.ndarray:
    """The standing pose turned forwards about the X axis, and raised along Z."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return STANDING @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]]) + [0, 0, lift]


def test_where_one_answer_ends_and_the_next_begins_is_where_it_was() -> None:
    """Units over all heights, up axes over all tilts, of rest and frames, over heights above the floor and shares of
    the frames: each answer as a number."""
    heights = np.geomspace(0.05, 20000, 500)
    found, said = [], []
    for height in heights:
        try:
            found.append(list(units.UNITS).index(units.find_unit(height, None, "x")[0]))
        except DataError:
            found.append(-1)
        said.append(units.size_note(height, "cm") is None)
    axes = list(units.UPS)
    up = np.array([
        [axes.index(units.find_up(NAMES, tilted(rest), np.stack([tilted(frames, lift)] * 3), None, "x"))
         for frames in range(0, 360, 9) for lift in (-0.6, -0.2, 0.1, 0.3, 0.8)]
        for rest in (0, 20, 24, 28, 60, 66, 90, 180)
    ])  # fmt: skip
    shares = [np.stack([tilted(90, 0.1)] * n + [tilted(45)] * (20 - n)) for n in range(8, 17)]
    most = [[axes.index(units.find_up(NAMES, tilted(rest), x, None, "x")) for x in shares] for rest in (0, 90)]
    moving = [
        axes.index(units.find_up(NAMES, STANDING, np.stack([tilted(90), tilted(90, hop), tilted(90)]), None, "x"))
        for hop in np.arange(0.0, 1.2, 0.05)
    ]
    lies = [units.lies_note(NAMES, tilted(degrees)[None]) is None for degrees in range(0, 181, 2)]
    clear = [axes.index(units.along(np.array([0.1, np.cos(a), np.sin(a)])) or "y") for a in np.arange(0, 6.3, 0.05)]
    made = {"unit": found, "adult": said, "up": up, "most": most, "moving": moving, "lies": lies, "clear": clear}
    check_stored("units", {name: np.array(values, np.int8) for name, values in made.items()}, atol=0)
    assert units.body_height([0, 1.3], [-1, 0]) == pytest.approx(1.0)


@pytest.mark.parametrize(("up", "degrees"), [("y", 0), ("z", -90), ("-y", 180)])
def test_other_worlds_are_turned_about_x_and_back(up: str, degrees: int) -> None:
    from scipy.spatial.transform import Rotation

    vectors = np.random.default_rng(0).normal(size=(4, 5, 3))
    turn = Rotation.from_euler("x", degrees, degrees=True)
    np.testing.assert_allclose(
        units.to_y_up(vectors, up).reshape(-1, 3), turn.apply(vectors.reshape(-1, 3)), atol=1e-12
    )
    np.testing.assert_allclose(units.from_y_up(units.to_y_up(vectors, up), up), vectors, atol=1e-12)
    np.testing.assert_allclose(
        Rotation.from_quat(units.TURNS[up]).as_matrix() if up in units.TURNS else np.eye(3),
        turn.as_matrix(),
        atol=1e-12,
    )
