"""Copying from the nearest examples."""

import pytest

from motion_platform.planners.kate import Kate, ranked
from motion_platform.planners.low_texts import Example


def test_the_commonest_wins_and_the_nearest_where_they_are_even():
    near = [Example("a", "jump"), Example("b", "walk"), Example("c", "run"), Example("d", "walk"), Example("e", "run")]
    assert ranked(near) == ["walk", "run", "jump"]


def test_nearest_and_majority(table):
    sentence = "a man strides on briskly"
    nearest, majority = (Kate(k=3, answer=answer, table=str(table)) for answer in ("nearest", "majority"))
    (plan,) = nearest.plan([sentence])
    assert (plan.low_text(), plan.segments[0].text) == ("walk forward", "a person walks forward")
    assert plan.notes == ('nearest known: "a man strides on"',)
    assert majority.plan([sentence])[0].low_text() == "walk"
    assert [majority.plan([sentence], sample=k)[0].low_text() for k in (1, 2)] == ["walk forward", "walk"]


def test_wrong_settings(table):
    with pytest.raises(ValueError, match="k: got 0"):
        Kate(k=0, table=str(table))
    with pytest.raises(ValueError, match="answer: got 'best'"):
        Kate(answer="best", table=str(table))
