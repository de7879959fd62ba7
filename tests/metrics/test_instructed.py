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
