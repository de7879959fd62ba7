import numpy as np
import pytest

from motion_platform.core.plan import Plan, Segment
from motion_platform.core.schema import Sampling
from motion_platform.pipelines import generate, planning
from motion_platform.pipelines.wording import in_models_words, repeated, with_doubts
from motion_platform.planners.rules import Rules


def plan_of(sentence: str) -> Plan:
    (plan,) = Rules().plan([sentence])
    return plan


def texts(plan: Plan) -> list[str]:
    return [segment.text for segment in plan.segments]


def test_bare_verbs_among_others_are_in_the_words_of_the_models() -> None:
    assert texts(in_models_words(plan_of("a person bows, waves and walks away"))) == [
        "a person bows", "a person waves the right hand", "a person walks forward"]  # fmt: skip
    assert texts(in_models_words(plan_of("she walks, then punches"))) == ["she walks", "she is boxing"]


def test_a_bare_verb_alone_is_too() -> None:
    for said, meant in {
        "a person walks": "a person walks forward",
        "a sad man waves": "a sad man waves the right hand",
        "she punches": "she punches",
    }.items():
        assert texts(in_models_words(plan_of(said))) == [meant]


def test_a_model_of_diffusion_keeps_a_bare_verb_alone_and_not_one_with_a_number(run) -> None:
    sentences = ["a person waves", "a person waves for 4 seconds", "a person walks two metres"]
    for sentence, meant in zip(sentences, ("waves", "waves", "walks forward"), strict=True):
        (found,) = planning.plans_of(run, [sentence], Rules())
        assert found is None or texts(found) == [f"a person {meant}"]


def test_what_the_default_model_makes_of_a_bare_verb_is_that_and_long_enough_to_see() -> None:
    said: list[str] = []
    run = generate.load("text_to_motion", "text_to_motion_masked")
    asked = ["a person walks", "he sprints", "a person kicks", "a man jumps"]
    walk, sprint, kick, jump = planning.make(run, asked, seed=1, say=said.append)
    (same,) = planning.make(run, ["a person walks forward"], seed=1)
    assert walk.captions == ("a person walks",)
    assert len(walk) == len(same)
    assert (sprint.seconds, kick.seconds) == (3.0, 2.4)
    assert jump.seconds >= 1.5
    assert jump.joints[:, [10, 11], 1].min(1).max() > 0.2, "both feet leave the floor"
    assert planning.make(run, ["he sprints"], plan="none")[0].seconds < 3
    assert planning.make(run, ["he sprints"], seconds=[1.0])[0].seconds == 1.0
    assert any("walk forward" in line for line in said)


def test_a_slip_of_the_finger_is_read_as_it_was_meant_and_said() -> None:
    said: list[str] = []
    run = generate.load("text_to_motion", "text_to_motion_masked")
    slipped, meant = "a person wlaks to the left", "a person walks to the left"
    clips = planning.make(run, [slipped, meant], samples=2, seed=1, seconds=[1.0], say=said.append)
    assert [clip.captions[0] for clip in clips] == [slipped] * 2 + [meant] * 2
    assert [clip.info.get("read_as") for clip in clips] == [meant] * 2 + [None] * 2
    assert sum("'wlaks' as 'walks'" in line for line in said) == 1
    (alone,) = planning.make(run, [meant], seed=1, seconds=[1.0])
    np.testing.assert_allclose(clips[0].joints, alone.joints, atol=1e-4)
    (kept,) = planning.make(run, [slipped], plan="none", seed=1, seconds=[1.0])
    assert "read_as" not in kept.info
    assert not np.allclose(kept.joints, alone.joints, atol=1e-2)


@pytest.mark.parametrize("sentence", ["a person waves happily", "she bows, then waves the left hand"])
def test_one_action_and_what_says_more_stay_as_they_are(sentence: str) -> None:
    plan = plan_of(sentence)
    assert in_models_words(plan) == plan


def test_a_part_of_the_body_keeps_its_words() -> None:
    plan = Plan((Segment("walk", "a person walks"), Segment("wave", "a person waves", lane="right_arm")), "rules")
    assert texts(in_models_words(plan)) == ["a person walks", "a person waves"]


def test_what_is_done_once_a_motion_is_said_as_often_as_it_is_asked_for() -> None:
    assert texts(repeated(plan_of("he bows three times"))) == ["he bows"] * 3
    raised = repeated(plan_of("raise the right hand twice"))
    assert texts(raised) == ["a person raises the right hand", "a person lowers the right hand"] * 2
    assert texts(repeated(plan_of("a person squats twice"))) == ["a person squats and stands up"] * 2
    assert len(repeated(plan_of("she waves three times")).segments) == 1
    assert len(repeated(plan_of("he bows 40 times")).segments) == 1


def test_seconds_are_shared_by_the_times() -> None:
    plan = repeated(Plan((Segment("bow", "a person bows", seconds=6.0, amount=2.0),), "rules"))
    assert [segment.seconds for segment in plan.segments] == [3.0, 3.0]


@pytest.mark.parametrize(
    ("sentence", "doubted"),
    [
        ("he punches three times", True),
        ("she jumps twice", True),
        ("turn right by 180 degrees", True),
        ("he bows 40 times", True),
        ("dance five metres", True),
        ("turn right by 90 degrees", False),
        ("he bows twice", False),
        ("she waves three times", False),
        ("a person takes four steps", False),
        ("a person runs 8 metres", False),
        ("dance for nine seconds", False),
        ("he bows once", False),
    ],
)
def test_a_number_that_is_not_kept_is_said(sentence: str, doubted: bool) -> None:
    assert any("cannot be promised" in note for note in with_doubts(plan_of(sentence)).notes) == doubted


def test_the_default_model_reads_what_strange_words_ask_for_and_is_told_it() -> None:
    run = generate.load("text_to_motion", "text_to_motion_masked")
    asked = {
        "throws a right hook": ("punch", None),
        "legs it like an angry bull": (None, "angry"),
        "shuffles along, ninety years old": (None, "old"),
        "yes, present!": ("respond", None),
    }
    labels = run.model.trainable.labels
    given = run.model.conditioning({"text_high": list(asked), "text_low": [None] * len(asked)})["text_high"]
    read = {name: [labels.targets[name][k] for k in p.argmax(1)] for name, p in labels.probabilities(given).items()}
    for k, (kind, style) in enumerate(asked.values()):
        assert kind in (None, read["content"][k])
        assert style in (None, read["style"][k])
    made = {
        weight: planning.make(
            run, ["throws a right hook"], seconds=[1.0], sampling=Sampling(guidance={"labels": weight})
        )[0]
        for weight in (0.0, 2.5)
    }
    assert not np.allclose(made[0.0].joints, made[2.5].joints, atol=1e-2)
