from dataclasses import replace

import pytest
import torch

from motion_platform.core.errors import DataError
from motion_platform.metrics.instructed import Instructed

pytestmark = pytest.mark.usefixtures("joints_as_features")


@pytest.fixture
def check(oracles):
    def run(clips, contents, styles=None):
        motion = oracles.motion_of(clips)
        styles = styles or ["normal"] * len(contents)
        labels = [{"content": c, "style": s} for c, s in zip(contents, styles, strict=True)]
        return Instructed().state(motion, oracles.batch_of(motion, labels), None)

    return run


def right(state, name):
    return [values[name] for _, values in sorted(state.rows.items())]


@pytest.mark.parametrize(("angle", "side"), [(1.5, "left"), (-1.5, "right"), (4.5, "left"), (-4.5, "right")])
def test_turns_have_a_sign_also_beyond_half_a_circle(oracles, check, angle, side):
    clip = oracles.turned(oracles.standing(40), torch.linspace(0, angle, 40))
    state = check([clip, clip], ["walk-turn-left", "walk-turn-right"])
    assert right(state, "turn") == ([1.0, 0.0] if side == "left" else [0.0, 1.0])


def test_hands(oracles, check):
    left, both, none = (oracles.standing(10) for _ in range(3))
    left[4, oracles.LEFT_WRIST, 1] = 1.7
    both[4:6, [oracles.LEFT_WRIST, oracles.RIGHT_WRIST], 1] = torch.tensor([1.7, 1.8])
    told = ["raise-up-left-hand", "raise-up-right-hand", "wave-both-hands"]
    assert right(check([left] * 3, told), "hand") == [1.0, 0.0, 0.0]
    assert right(check([both] * 3, told), "hand") == [0.0, 0.0, 1.0]  # the other hand stays down
    assert right(check([none] * 3, told), "hand") == [0.0, 0.0, 0.0]


def travel(oracles, metres_per_second, direction, facing=0.0, frames=21):
    joints = oracles.turned(oracles.standing(frames), torch.full((frames,), facing))
    way = metres_per_second / oracles.FPS * torch.arange(frames)
    angle = facing + direction
    return (
        joints + torch.stack([way * torch.tensor(angle).sin(), 0 * way, way * torch.tensor(angle).cos()], -1)[:, None]
    )


@pytest.mark.parametrize("facing", [0.0, 2.0, -1.0])
def test_direction_is_the_bodys_own(oracles, check, facing):
    half = torch.pi / 2
    clips = [travel(oracles, 1.0, direction, facing) for direction in (torch.pi, 0.0, half, -half, half)]
    told = ["walk-back", "walk-back", "walk-left", "walk-right", "walk-right"]
    assert right(check(clips, told), "direction") == [1.0, 0.0, 1.0, 1.0, 0.0]


def test_runs_are_compared_with_walks_of_their_style(oracles, check):
    speeds = [1.0, 1.2, 2.0, 0.4, 0.8, 3.0]
    contents = ["walk", "walk", "run", "walk", "run", "dash"]
    styles = ["normal", "normal", "normal", "old", "old", "proud"]
    clips = [travel(oracles, v, 0.0) for v in speeds]
    state = check(clips, contents, styles)
    assert state.compute()["instructed_speed"] == 1.0  # an old run (0.8) need not beat a normal walk (1.0)
    swapped = check(clips, ["run", "run", "walk", "walk", "run", "dash"], styles)
    assert swapped.compute()["instructed_speed"] == pytest.approx(3 / 6)


def test_merging_keeps_the_comparison_between_shards(oracles, check):
    clips = [travel(oracles, v, 0.0) for v in (1.0, 2.0)]
    whole = check(clips, ["walk", "run"])
    motion = oracles.motion_of(clips[1:])
    other = oracles.batch_of(motion, [{"content": "run", "style": "normal"}], prefix="other")
    merged = check(clips[:1], ["walk"]).merge(Instructed().state(motion, other, None))
    assert merged.compute() == whole.compute() == {"instructed": 1.0, "instructed_speed": 1.0}
    assert "instructed_speed" not in check(clips[:1], ["walk"]).compute()  # nobody to compare with


def test_other_contents_are_not_checked(oracles, check):
    state = check([oracles.standing(5)], ["bow"])
    assert state.compute() == {}
    assert state.ids == {"clip 0"}


def test_needs_labels(oracles):
    motion = oracles.motion_of([oracles.standing(5)])
    with pytest.raises(DataError, match="no labels"):
        Instructed().state(motion, oracles.batch_of(motion), None)


@pytest.mark.parametrize("facing", [0.3, 1.2, 1.9, 2.8, -0.7, -1.4, -2.2, 3.1])
def test_each_direction_is_a_half_plane_of_the_body(oracles, check, facing):
    """Just inside and just outside of its borders, whichever way the body faces."""
    half = torch.pi / 2
    for told, middle in (("walk-back", torch.pi), ("walk-left", half), ("walk-right", -half)):
        clips = [
            travel(oracles, 1.0, middle + side * off, facing) for side in (-1, 1) for off in (half - 0.1, half + 0.1)
        ]
        assert right(check(clips, [told] * 4), "direction") == [1.0, 0.0, 1.0, 0.0], told


def test_who_does_nothing_has_not_done_what_was_told(oracles, check):
    told = ["walk-turn-left", "walk-turn-right", "walk-back", "walk-left", "walk-right"]
    for frames in (1, 20):
        rows = check([oracles.standing(frames)] * 5, told).rows.values()
        assert [list(row.values()) for row in rows] == [[0.0]] * 5


def test_two_frames_are_enough_for_a_way_and_a_speed(oracles, check):
    clips = [travel(oracles, speed, torch.pi / 2, frames=2) for speed in (1.0, 3.0)]
    assert right(check(clips, ["walk-left", "walk-right"]), "direction") == [1.0, 0.0]
    state = check([*clips, oracles.standing(1)], ["walk", "run", "dash"])
    assert [round(speed, 4) for *_, speed in state.speeds.values()] == [1.0, 3.0, 0.0]


def test_a_hand_is_up_above_the_upper_chest_and_not_at_its_height(oracles, check):
    at, above = oracles.standing(6), oracles.standing(6)
    at[3, oracles.LEFT_WRIST, 1] = at[3, 9, 1]
    above[3, oracles.LEFT_WRIST, 1] = at[3, 9, 1] + 1e-3
    assert right(check([at, above], ["raise-up-left-hand"] * 2), "hand") == [0.0, 1.0]


def test_as_fast_as_the_others_is_neither_a_run_nor_a_walk(oracles, check):
    clips = [travel(oracles, 1.0, 0.0)] * 2
    assert check(clips, ["walk", "run"]).compute()["instructed_speed"] == 0.0


def test_speeds_are_in_metres_a_second_whatever_the_frame_rate(oracles, check):
    walk = check([travel(oracles, 1.0, 0.0)], ["walk"])
    motion = oracles.motion_of([travel(oracles, 0.6, 0.0)])  # written at 20 frames a second, and shown at 40
    motion.spec = replace(motion.spec, fps=40.0)
    batch = oracles.batch_of(motion, [{"content": "run", "style": "normal"}], prefix="other")
    assert walk.merge(Instructed().state(motion, batch, None)).compute()["instructed_speed"] == 1.0


@pytest.mark.parametrize("content", ["walk-turn", "run-left", "walk-left-fast", "walk-back-left", "left", ""])
def test_what_tells_too_little_or_too_much_is_not_checked(oracles, check, content):
    assert check([oracles.standing(5)], [content]).compute() == {}


def test_a_sample_without_labels_is_counted_and_not_checked(oracles):
    motion = oracles.motion_of([oracles.standing(5)] * 2)
    state = Instructed(target="kind").state(motion, oracles.batch_of(motion, [None, {"kind": "wave-both-hands"}]), None)
    assert state.ids == {"clip 0", "clip 1"}
    assert state.compute() == {"instructed": 0.0, "instructed_hand": 0.0}
