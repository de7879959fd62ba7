import pytest

from motion_platform.core.errors import UsageError
from motion_platform.core.plan import MOST_SEGMENTS, Plan, Segment, plan_of_actions

WALK = Segment("walk", "a person walks")


def test_a_plan_says_its_actions_in_order():
    plan = plan_of_actions(["walk ", "", "bow"], "kate", "a person walks and bows", ["one note"])
    assert plan.low_text() == "walk, bow"
    assert plan.compound
    assert [segment.text for segment in plan.segments] == ["walk", "bow"]
    assert plan.notes == ("one note",)
    assert not Plan((WALK,), "person").compound


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"text": " "}, "no words"),
        ({"seconds": 0}, "got 0 seconds; allowed: 0.5 to 60"),
        ({"seconds": float("nan")}, "got nan seconds"),
        ({"lane": "tail"}, "got lane 'tail'; allowed: body, upper_body"),
        ({"amount": 0}, "got 0 times"),
        ({"amount": 2, "unit": "miles"}, "got unit 'miles'"),
        ({"start": -1}, "starts at -1 s"),
    ],
)
def test_a_segment_that_cannot_be_is_refused_in_one_line(wrong, says):
    with pytest.raises(UsageError, match=says) as raised:
        Segment(**{"action": "walk", "text": "a person walks", **wrong})
    assert "\n" not in str(raised.value)


def test_an_empty_plan_and_one_without_end_are_refused():
    with pytest.raises(UsageError, match="no segment"):
        Plan((), "rules")
    with pytest.raises(UsageError, match=f"got 200 segments; allowed: at most {MOST_SEGMENTS}"):
        Plan((WALK,) * 200, "person")
