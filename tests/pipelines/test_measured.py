"""A number of a sentence is measured in its motion, and a motion that misses it is drawn again."""

from __future__ import annotations

import numpy as np
import pytest

from motion_platform.core.errors import UsageError
from motion_platform.core.plan import Plan
from motion_platform.motion.clip import Clip
from motion_platform.motion.retarget import mirror
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.pipelines import generate, planning
from motion_platform.pipelines.measured import DRAWS, Amount, amount_of, nearest
from motion_platform.planners.rules import Rules

BODY = get_skeleton("humanml3d")


def walked(metres: float, name: str = "a", fps: float = 20.0, skeleton: str = "humanml3d") -> Clip:
    body = get_skeleton(skeleton)
    joints = np.zeros((100, len(body.joints), 3))
    joints[..., 2] = np.linspace(0, metres, 100)[:, None]
    return Clip(joints=joints, skeleton=body, fps=fps, name=name, captions=("walk",), info={"sample": 1})


def plan_of(sentence: str) -> Plan:
    (plan,) = Rules().plan([sentence])
    return plan


@pytest.mark.parametrize(
    ("sentence", "amount"),
    [
        ("a person bows three times", Amount("bows", 3)),
        ("she boxes twice", Amount("punches", 2)),
        ("raise the right hand twice", Amount("raises", 2)),
        ("walk four steps", Amount("steps", 4)),
        ("a man walks 5 metres", Amount("metres", 5)),
        ("turn left by 90 degrees", Amount("degrees", 90)),
        ("a person walks", None),
        ("a person kicks", Amount("kicks", 1, least=True)),
        ("she waves", Amount("waves", 2, least=True)),
        ("kick with the right foot", Amount("kicks", 1, least=True, side="right", turns=True)),
        ("a man throws a left hook", Amount("punches", 1, least=True, side="left", turns=True)),
        ("the actor takes a bow", Amount("bows", 1, least=True)),
        ("do a squat", Amount("squats", 1, least=True)),
        ("raises both hands", Amount("raises", 1, least=True, side="both")),
        ("waves the left hand to the right", Amount("waves", 2, least=True, side="left")),  # mirrored it is wrong again
        ("he bows to the left", Amount("bows", 1, least=True)),
        ("raise the left knee", None),  # a hand is counted
        ("lift a box", None),
        ("kick the left foot and wave the right hand at once", None),
        ("he does his homework", None),
        ("a person walks for 4 seconds", None),
        ("a person claps three times", None),  # nothing here counts them
        ("walk four steps, then bow", None),  # which of the steps are the bow's?
    ],
)
def test_what_can_be_measured_of_a_sentence(sentence: str, amount: Amount | None) -> None:
    assert amount_of(plan_of(sentence)) == amount


def test_small_numbers_must_be_met_exactly() -> None:
    assert Amount("bows", 3).kept(3)
    assert not Amount("bows", 3).kept(4)
    assert Amount("bows", 5).kept(6)
    assert Amount("bows", 5).kept(4)
    assert not Amount("degrees", 90).kept(71)


def test_the_nearest_of_more_draws_takes_the_place_of_a_miss_alone() -> None:
    asked, said = [], []

    def draw(count: int) -> list[Clip]:
        asked.append(count)
        return [
            walked(metres, f"drawn {k}") for k, metres in enumerate((5.1, 2.0, 9.0, 3.0, 9.0, 4.4, 9.0, 3.5, 9.0, 2.0))
        ]

    first = [walked(5.1, "motion_001"), walked(2.0, "motion_002")]
    found = nearest(first, Amount("metres", 5), draw, said.append)
    assert asked == [2 * (1 + DRAWS)]
    assert found[0].joints is first[0].joints
    assert [round(clip.info["amount"]["made"], 1) for clip in found] == [5.1, 4.4]  # of sample 2: 3.0, 4.4, 3.5, 2.0
    assert [(clip.name, clip.info["sample"]) for clip in found] == [("motion_001", 1), ("motion_002", 1)]
    assert not said
    nearest([walked(1.0)], Amount("metres", 5), lambda count: [walked(2.0)] * count, said.append)
    assert said == ["'walk': 2 metres are there instead of 5, the nearest of 5 motions"]


def test_what_keeps_its_number_is_not_drawn_again_and_other_bodies_are_not_measured() -> None:
    def never(count: int) -> list[Clip]:
        raise AssertionError(count)

    (kept,) = nearest([walked(5.5)], Amount("metres", 5), never)
    assert kept.info["amount"] == {"what": "metres", "asked": 5, "made": 5.5}
    for clip in (walked(1.0, fps=30.0), walked(1.0, skeleton="coco_upper")):
        assert nearest([clip], Amount("metres", 5), never) == [clip]


def test_a_sentence_with_a_number_comes_out_right_where_its_first_motion_does_not() -> None:
    run = generate.load("text_to_motion", "text_to_motion_masked")
    said: list[str] = []
    for clip in planning.make(run, ["a person squats twice", "a person walks"], samples=4, seed=6, say=said.append):
        assert ("amount" in clip.info) == ("squats" in clip.captions[0])
        if "amount" in clip.info and clip.info["amount"]["made"] != 2:
            assert any("squats are there instead of 2" in line for line in said)


def test_an_empty_text_is_one_line() -> None:
    said: list[str] = []
    run = generate.load("text_to_motion", "text_to_motion_masked")
    with pytest.raises(UsageError, match="--text: is empty"):
        planning.make(run, ["   "], say=said.append)
    assert said == []


def kicking(side: str, times: int = 1) -> Clip:
    """A standing body of which one leg goes up in front, stretched, and comes down."""
    joints = np.zeros((60, 22, 3))
    at = BODY.index
    heights = {"pelvis": 0.95, "neck": 1.45, "head": 1.6, "hip": 0.9, "knee": 0.5, "ankle": 0.08, "foot": 0.02,
               "shoulder": 1.4, "elbow": 1.15, "wrist": 0.9}  # fmt: skip
    for k, name in enumerate(BODY.joints):
        joints[:, k, 1] = heights.get(name.removeprefix("left_").removeprefix("right_"), 1.2)
        joints[:, k, 0] = {"l": 0.1, "r": -0.1}.get(name[0] if "_" in name else "", 0.0)
    swing = 1.3 * np.sin(np.linspace(0, times * np.pi, 60)).clip(0, None)  # radians
    for joint, down in (("knee", 0.4), ("ankle", 0.82), ("foot", 0.88)):
        joints[:, at(f"{side}_{joint}"), 1] = 0.9 - down * np.cos(swing)
        joints[:, at(f"{side}_{joint}"), 2] = down * np.sin(swing)
    return Clip(joints=joints, skeleton=BODY, fps=20.0, name=side, captions=("kick",), info={"sample": 0})


def test_a_limb_counts_where_the_other_does_not_do_it_as_often() -> None:
    left, right, either = (Amount("kicks", 1, least=True, side=side) for side in ("left", "right", None))
    assert [amount.made(kicking("left")) for amount in (left, right, either)] == [1, 0, 1]
    assert [amount.made(kicking("right")) for amount in (left, right, either)] == [0, 1, 1]
    assert Amount("kicks", 1, least=True, side="both").made(kicking("left")) == 0


def test_at_least_so_often_is_kept_by_more_and_missed_by_less() -> None:
    amount = Amount("waves", 2, least=True)
    assert [amount.off(made) for made in (0, 1, 2, 7)] == [1.0, 0.5, 0.0, 0.0]
    assert [amount.kept(made) for made in (1, 2, 7)] == [False, True, True]
    assert amount.missed(0, 5) == "no waves can be seen in any of 5 motions"
    assert Amount("kicks", 1, True, "left").missed(0, 5) == "no kicks of the left side can be seen in any of 5 motions"
    assert Amount("raises", 1, True, "both").missed(0, 2) == "no raises of both sides can be seen in any of 2 motions"


def test_a_motion_of_the_other_limb_is_mirrored_and_nothing_is_drawn() -> None:
    amount = amount_of(plan_of("kick with the right foot"))
    (found,) = nearest([kicking("left")], amount, lambda count: pytest.fail("nothing is missing"))
    np.testing.assert_array_equal(found.joints, mirror(kicking("left")).joints)
    told = {"what": "kicks", "asked": 1, "made": 1.0, "at_least": True, "side": "right"}
    assert (found.info["amount"], found.info["mirrored"], found.name) == (told, True, "left")
    (same,) = nearest([kicking("right")], amount, lambda count: pytest.fail("nothing is missing"))
    assert "mirrored" not in same.info


def test_where_something_else_has_a_side_another_motion_is_drawn_instead() -> None:
    amount, said = amount_of(plan_of("kick to the left with the right foot")), []
    assert amount == Amount("kicks", 1, least=True, side="right")
    (found,) = nearest([kicking("left")], amount, lambda count: [kicking("left"), kicking("right")], said.append)
    np.testing.assert_array_equal(found.joints, kicking("right").joints)
    assert (found.name, said) == ("left", [])
    nearest([kicking("left")], amount, lambda count: [kicking("left")] * count, said.append)
    assert said == ["'kick': no kicks of the right side can be seen in any of 5 motions"]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_default_model_kicks_with_the_leg_that_is_asked_for(seed: int) -> None:
    run = generate.load("text_to_motion", "text_to_motion_masked")
    asked = ["a person kicks with the left leg", "a person kicks with the right leg"]
    for side, clip in zip(("left", "right"), planning.make(run, asked, seed=seed), strict=True):
        assert Amount("kicks", 1, least=True, side=side).made(clip) >= 1
    (raw,) = planning.make(run, asked[:1], plan="none", seed=seed)
    assert "amount" not in raw.info
