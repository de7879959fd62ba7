"""What every registered planner promises. A new one adds one line to ``CASES`` and is held to all of it."""

import pytest

from motion_platform.core import registry
from motion_platform.core.catalog import CATALOG
from motion_platform.core.errors import UsageError
from motion_platform.core.plan import Plan

CASES = {
    "rules": {},
    "kate": {"table": "{table}", "k": 2},
    "llm": {"table": "{table}", "k": 1, "most": 2, "model": "{tiny_language_model}"},
}
"""name -> settings; {name} of a fixture is filled in."""
SENTENCES = ["a person walks in, bows and waves", "a person waves the right hand", "walks forward, then sits down"]


def build(request, name):
    settings = {
        key: str(request.getfixturevalue(value.strip("{}"))) if str(value).startswith("{") else value
        for key, value in CASES[name].items()
    }
    return registry.build("planners", name, settings)


def test_every_planner_is_held_to_the_contract():
    assert set(CASES) == set(CATALOG["planners"]), "add the new planner to CASES"


@pytest.mark.parametrize("name", CASES)
def test_contract(request, name):
    planner = build(request, name)
    assert planner.name == name
    plans = planner.plan(SENTENCES)
    assert [plan.sentence for plan in plans] == SENTENCES
    for plan in plans:
        assert isinstance(plan, Plan)
        assert plan.builder == name
        assert all(segment.action.strip() and segment.text.strip() for segment in plan.segments)
        assert plan.low_text().count(", ") >= len(plan.segments) - 1
        assert not any("\n" in note for note in plan.notes)
    assert planner.plan(SENTENCES) == plans, "the same again"
    assert planner.plan(SENTENCES[1:2]) == plans[1:2], "does not depend on the others"
    if not planner.samples_differ:
        assert planner.plan(SENTENCES, sample=3, seed=9) == plans
    assert planner.plan([]) == []
    with pytest.raises(UsageError, match="empty"):
        planner.plan(["a person walks", " "])
