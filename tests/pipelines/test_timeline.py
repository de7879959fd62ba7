from __future__ import annotations

import json

import numpy as np
import pytest

from motion_platform.core.errors import UnknownName, UsageError
from motion_platform.core.plan import Segment
from motion_platform.core.schema import Sampling
from motion_platform.model.knowledge import Known
from motion_platform.pipelines import generate, planning, timeline
from motion_platform.pipelines.amounts import seconds_of_amount

FEW = Sampling(steps=2)


def rows(plan):
    return [(segment.text, segment.seconds, segment.lane) for segment in plan.segments]


def test_a_timeline_is_read_from_words_lists_and_files(tmp_path):
    wanted = [
        ("a person walks forward", 3.0, "body"),
        ("a person bows", 2.5, "body"),
        ("a person waves with the right hand", None, "right_arm"),
    ]
    words = "walk forward:3, bow: 2.5s, wave with the right hand@right_arm"
    listed = [("walk forward", 3), {"text": "bow", "seconds": "2.5"}, {"text": "wave with the right hand",
              "lane": "right_arm"}]  # fmt: skip
    (tmp_path / "t.json").write_text(json.dumps({"timeline": [list(listed[0]), *listed[1:]]}))
    (tmp_path / "t.yaml").write_text(
        "- [walk forward, 3]\n- {text: bow, seconds: 2.5}\n- {text: wave with the right hand, lane: right_arm}\n"
    )
    for given in (words, words.replace(",", ";"), listed, str(tmp_path / "t.json"), tmp_path / "t.yaml"):
        plan = timeline.read_timeline(given)
        assert rows(plan) == wanted
        assert plan.builder == "person"
    assert timeline.read_timeline("an old man: sits, slowly:3; he bows").segments[0].text == "an old man: sits, slowly"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "is empty"),
        (" , ", "is empty"),
        ([], "is empty"),
        ("walk:0", "got 0 seconds; allowed: 0.5 to 60"),
        ("walk:-2", "got -2 seconds"),
        ("walk:soon", "got seconds 'soon'; write a number"),
        ("walk:nan", "got seconds 'nan'"),
        (":3", "has no text"),
        ("walk@leg:3", "unknown lane 'leg'; .*lower_body"),
        ("walk:1, " * 199 + "bow", "got 200 segments; allowed: at most 64"),
        ([("walk", 3, 4)], r"a segment is a text, or \(text, seconds\)"),
        ([{"text": "walk", "secs": 3}], "has no 'secs'; did you mean 'seconds'"),
        ([7], "got 7; a segment is"),
        ({"lines": []}, "write one, timeline"),
        ("missing.yaml", "cannot be read as a timeline"),
    ],
)
def test_what_is_no_timeline_is_refused_in_one_line(given, says):
    with pytest.raises(UsageError, match=says) as raised:
        timeline.read_timeline(given)
    assert "\n" not in str(raised.value)


def test_a_file_that_holds_something_else(tmp_path):
    for text, says in (("walk", "holds no timeline"), ("{a: [", "cannot be read"), ("- {text: [}", "cannot be read")):
        (tmp_path / "t.yaml").write_text(text)
        with pytest.raises(UsageError, match=says):
            timeline.read_timeline(tmp_path / "t.yaml")


def test_one_motion_of_several_texts(run):
    plan = timeline.read_timeline([("walk forward", 1), ("bow", 1.5), ("wave", 1)])
    first, second = timeline.make(run, [plan], samples=2, seed=4, sampling=FEW)
    assert len(first) == len(second) == 70
    assert np.isfinite(first.joints).all()
    assert first.captions == ("a person walks forward", "a person bows", "a person waves")
    assert [(s["text"], s["start"], s["seconds"]) for s in first.info["plan"]["segments"]] == [
        ("a person walks forward", 0.0, 1.0),
        ("a person bows", 1.0, 1.5),
        ("a person waves", 2.5, 1.0),
    ]
    assert (first.name, second.name) == ("motion_001", "motion_002")
    assert not np.allclose(first.joints, second.joints)
    again = timeline.make(run, [timeline.read_timeline("stand:1"), plan], seed=4, sampling=FEW)[1]
    assert np.allclose(first.joints, again.joints, atol=1e-3)


def test_what_a_timeline_leaves_open_fills_the_length_asked_for(run):
    plan = timeline.read_timeline([("walk", 2), ("bow", None), "wave"])
    timed = timeline.timed(run, plan, 6.0)
    assert [s.seconds for s in timed.segments] == [2.0, 2.0, 2.0]
    together = timeline.timed(run, timeline.read_timeline("walk@lower_body, wave@right_arm:2, bow:1"))
    assert [(s.start, s.seconds) for s in together.segments] == [(0, 2.0), (0, 2.0), (2.0, 1.0)]


def test_a_part_asked_for_twice_at_a_time_is_refused(run):
    plan = timeline.read_timeline([{"text": "walk", "seconds": 3}, {"text": "bow", "seconds": 2, "start": 1}])
    with pytest.raises(UsageError, match="one part does one thing at a time"):
        timeline.make(run, [plan], sampling=FEW)


def test_a_sentence_goes_through_the_planner_and_says_so(run):
    said: list[str] = []
    clips = planning.make(
        run, ["a person walks, then bows", "a person runs", "turns right, not left"], seconds=[3, 1, 1], sampling=FEW,
        say=said.append)  # fmt: skip
    assert [len(clip) for clip in clips] == [60, 20, 20]
    assert [clip.name for clip in clips] == ["motion_001", "motion_002", "motion_003"]
    assert clips[0].captions == ("a person walks, then bows",)
    assert [s["text"] for s in clips[0].info["plan"]["segments"]] == ["a person walks", "a person bows"]
    assert clips[0].info["plan"]["builder"] == "rules"
    assert "plan" not in clips[1].info
    assert clips[2].info["plan"]["notes"] == ["left out: not left"]
    assert len(said) == 2
    assert "walk 1.8 s, bow 1.2 s (rules; --plan none" in said[0]
    assert not any("\n" in line for line in said)
    # A plain sentence gives what it gives without a planner.
    alone = generate.generate_texts(run, ["a person runs"], seconds=[1], sampling=FEW)[0]
    assert np.array_equal(alone.joints, planning.make(run, ["a person runs"], seconds=[1], sampling=FEW)[0].joints)


def test_what_a_model_knows_as_one_action_is_kept_whole_where_nothing_is_put_in_order(run, monkeypatch):
    known = Known((), np.zeros((0, 2)), {}, {"walk turn left": 9, "kick": 3, "walk": 9}, "")
    monkeypatch.setattr(planning, "known_of_run", lambda run: known)
    rules = planning.planner_named("rules")
    texts = ["a person walks and turns left", "a person walks and then turns left", "a person walks and turns right",
             "a person walks and kicks", "a person walks, turns left"]  # fmt: skip
    whole = [plan is None for plan in planning.plans_of(run, texts, rules)]
    assert whole == [True, False, False, False, False]


def test_plan_none_keeps_a_sentence_whole(run):
    text = "a person walks, then bows"
    (whole,) = planning.make(run, [text], plan="none", seconds=[1], sampling=FEW)
    assert np.array_equal(whole.joints, generate.generate_texts(run, [text], seconds=[1], sampling=FEW)[0].joints)
    (with_low,) = planning.make(run, [text], ["walk, bow"], seconds=[1], sampling=FEW)
    assert "plan" not in with_low.info
    with pytest.raises(UnknownName, match="unknown planner 'rulez'; did you mean 'rules'"):
        planning.make(run, [text], plan="rulez")


def test_numbers_are_lengths(run):
    said: list[str] = []
    (clip,) = planning.make(run, ["a person walks for 2 seconds"], sampling=FEW, say=said.append)
    assert len(clip) == 40
    assert "walk 2.0 s" in said[0]


@pytest.mark.parametrize(
    ("action", "amount", "unit", "seconds"),
    [
        ("walk forward", 5.05, "metres", 5.0),
        ("run", 28.6, "metres", 10.0),
        ("walk", 6, "steps", 4.0),
        ("turn left", 90, "degrees", 1.5),
        ("bow", 3, "times", 6.0),
        ("wave", 10, "times", 9.0),
        ("turn left", 130, "degrees", 2.5),
        ("walk", 1000, "metres", 60.0),
        ("walk", None, "times", None),
    ],
)
def test_how_long_an_amount_takes(action, amount, unit, seconds):
    found = seconds_of_amount(Segment(action, action, amount=amount, unit=unit), usual=2.0)
    assert found == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("text", ["a person walks", "a person walks, then bows"])
@pytest.mark.parametrize("plan", ["rules", "none"])
@pytest.mark.parametrize("length", [0.0, -1.0, float("nan")])
def test_no_length_is_refused_and_not_taken_for_none_given(run, text: str, plan: str, length: float) -> None:
    with pytest.raises(UsageError, match=r"--seconds: got .*; allowed: 0\.1 to"):
        planning.make(run, [text], plan=plan, seconds=[length], sampling=FEW)


def test_zero_seconds_are_refused_without_a_plan_too(run) -> None:
    with pytest.raises(UsageError, match="--seconds: got 0"):
        generate.generate_texts(run, ["a person walks"], seconds=[0.0], sampling=FEW)
