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


def test_a_bad_line_of_a_file_is_named_and_the_others_are_made(motion, tmp_path):
    prompts, out = tmp_path / "p.txt", tmp_path / "a.npz"
    prompts.write_text("a person walks\n\n12345\nsomebody bows\n")
    few = ("--model", "text_to_motion_small", "--seconds", "0.5", "--steps", "1", "-o", str(out))
    code, _, err = motion("generate", "text_to_motion", "--text-file", str(prompts), *few)
    assert code == 0
    assert "p.txt: line 3: --text: '12345' holds no word; say what the body does; the others are made" in err
    from motion_platform.motion import io

    assert [clip.captions[0] for clip in io.load_all(out)] == ["a person walks", "somebody bows"]
    out.unlink()
    code, _, err = motion("generate", "text_to_motion", "--text-file", str(prompts), "--strict", *few)
    assert code == 2
    assert "line 3" in err
    assert not out.exists()
    prompts.write_text("12345\n")
    code, _, err = motion("generate", "text_to_motion", "--text-file", str(prompts), *few)
    assert code == 2
    assert "no other line is left" in err


def test_what_a_model_does_not_know_is_announced_carried_and_refused(motion, tmp_path):
    out = tmp_path / "a.npz"
    few = ("--model", "text_to_motion_small", "--seconds", "3", "--steps", "1", "-o", str(out))
    asked = ("generate", "text_to_motion", "-t", "a person walks, then knits a scarf")
    code, _, err = motion(*asked, *few)
    assert code == 0
    assert "'a person knits a scarf' is unlike what text_to_motion_small knows" in err
    from motion_platform.motion import io

    assert "knits a scarf" in io.load(out).info["unfamiliar"][0]
    out.unlink()
    code, _, err = motion(*asked, *few, "--strict")
    assert code == 2
    assert "--strict: 'a person knits a scarf' is unlike" in err
    assert not out.exists()
    code, _, err = motion("generate", "text_to_motion", "-t", "a person walks forward", *few)
    assert "unlike" not in err


def test_actions_of_a_model_are_listed(motion):
    code, out, _ = motion("list", "actions")
    assert code == 0
    assert "walk turn left" in out
    assert "actions of text_to_motion_masked; sentences that it knows" in out
    code, _, err = motion("list", "actions", "--model", "recogniser")
    assert code == 2
    assert "recogniser does not say what it knows" in err
    code, _, err = motion("list", "models", "--model", "recogniser")
    assert code == 2
