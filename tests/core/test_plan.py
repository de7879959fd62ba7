import pytest

from motion_platform.core.errors import UsageError
from motion_platform.core.plan import MOST_SEGMENTS, Plan, Planner, Segment, plan_of_actions

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


@pytest.mark.parametrize(
    ("key", "allowed", "refused"),
    [
        ("seconds", (0.5, 60.0), (0.499, 60.001)),
        ("amount", (0.001, 10000), (0, 10000.5)),
        ("start", (0, 3600.0), (-0.001, float("inf"))),
    ],
)
def test_numbers_of_a_segment_are_allowed_up_to_their_borders(key, allowed, refused):
    for value in allowed:
        assert getattr(Segment("walk", "a person walks", **{key: value}), key) == value
    for value in refused:
        with pytest.raises(UsageError, match="a person walks"):
            Segment("walk", "a person walks", **{key: value})


def test_a_plan_has_64_segments_at_most():
    assert len(Plan((WALK,) * 64, "person").segments) == MOST_SEGMENTS == 64
    with pytest.raises(UsageError, match="got 65 segments; allowed: at most 64"):
        Plan((WALK,) * 65, "person")


def test_a_planner_that_says_nothing_makes_the_same_plan_whatever_sample_is_asked_for():
    class One(Planner):
        name = "one"

        def plan(self, sentences, *, sample=0, seed=0):
            return [plan_of_actions([sentence], self.name, sentence) for sentence in sentences]

    assert not One.samples_differ
    assert One().plan(["bow"]) == One().plan(["bow"], sample=3)
