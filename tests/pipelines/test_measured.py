"""A number of a sentence is measured in its motion, and a motion that misses it is drawn again."""

from __future__ import annotations

import numpy as np
import pytest

from motion_platform.core.errors import UsageError
from motion_platform.core.plan import Plan
from motion_platform.motion.clip import Clip
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
