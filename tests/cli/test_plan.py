from __future__ import annotations

import json


def test_plan_prints_actions_in_order_and_who_says_so(motion):
    code, out, _ = motion("plan", "a tired man walks for 3 seconds, then bows twice, not deeply")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["action", "seconds", "amount", "style", "body", "text"]
    assert lines[1].split() == ["1", "walk", "3", "-", "tired", "whole", *["a", "tired", "man", "walks"]]
    assert lines[2].split() == ["2", "bow", "-", "2", "times", "tired", "whole", *["a", "tired", "man", "bows"]]
    assert lines[3:] == ["note: left out: not deeply", "builder: rules"]


def test_plan_as_json(motion):
    code, out, _ = motion("plan", "walks, then bows", "waves", "--json")
    plans = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [segment["action"] for segment in plans[0]["segments"]] == ["walk", "bow"]
    assert plans[1]["builder"] == "rules"


def test_bad_plans_are_one_line(motion):
    for arguments, says in (
        ((" ",), "the sentence is empty"),
        (("walk", "--plan", "rule"), "unknown planner 'rule'; did you mean 'rules'"),
    ):
        code, _, err = motion("plan", *arguments)
        assert code == 2
        assert says in err
        assert err.count("\n") == 1


def test_a_timeline_stands_alone(motion, tmp_path):
    out = str(tmp_path / "a.npz")
    code, _, err = motion("generate", "text_to_motion", "--timeline", "walk:3", "-t", "a person bows", "-o", out)
    assert code == 2
    assert "--timeline: is all that is said" in err
    code, _, err = motion("generate", "text_to_motion", "--timeline", "walk:0", "-o", out)
    assert code == 2
    assert "got 0 seconds" in err
    assert not (tmp_path / "a.npz").exists()
