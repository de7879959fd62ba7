"""The verb list: every word of it names its own action, and a caption is judged as a person would."""

import pytest

from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch
from motion_platform.metrics.verb_accuracy import VerbAccuracy, actions_in, forms, lexicon, names_action
from motion_platform.texts.bandai import vocabulary

VERBS = {  # the list that the quality target is measured with, written a second time
    "walk": ["walk", "walks", "walking", "strolls", "paces", "trudging", "steps"],
    "run": ["run", "runs", "running", "jogs", "sprints", "dashing", "trotting"],
    "raise": ["raise", "raises", "raising", "lifts", "lifting", "raised"],
    "wave": ["wave", "waves", "waving", "hello", "goodbye"],
    "bow": ["bow", "bows", "bowing"],
    "kick": ["kick", "kicks", "kicking"],
    "punch": ["punch", "punches", "punching", "jabs"],
    "dance": ["dance", "dances", "dancing"],
    "turn": ["turn", "turns", "turning"],
}


@pytest.mark.parametrize("action", VERBS)
def test_every_verb_names_its_action_alone(action):
    for verb in VERBS[action]:
        assert actions_in(f"a person {verb}.") == {action}, verb


def test_every_content_of_the_data_has_its_action():
    assert set(lexicon().contents) == set(vocabulary()["contents"])
    for content, wanted in lexicon().contents.items():
        for action in (wanted["action"], *wanted.get("or", []), *wanted.get("also", [])):
            assert action in set().union(*lexicon().words.values(), lexicon().hints), content


@pytest.mark.parametrize(
    ("caption", "content", "right"),
    [
        ("a tired man walks forward", "walk", True),
        ("A TIRED MAN WALKS FORWARD", "walk", True),
        ("a tired man runs forward", "walk", False),
        ("a man turns left", "walk-turn-left", True),
        ("a man turns left", "walk", False),
        ("somebody holds the left arm up", "raise-up-left-hand", True),
        ("somebody walks up", "raise-up-left-hand", False),
        ("she raises both hands and waves", "wave-both-hands", True),
        ("she raises both hands and waves", "raise-up-both-hands", False),
        ("walk run raise wave bow kick punch dance", "run", False),
        ("a person does something", "run", False),
        ("", "run", False),
    ],
)
def test_captions_are_judged_as_a_person_would(caption, content, right):
    assert names_action(caption, content) is right


def test_forms():
    assert forms("wave") == ["wave", "waves", "waving", "waved"]
    assert forms("punch") == ["punch", "punches", "punching", "punched"]


def batch(*contents):
    labels = [{"content": content} if content else {} for content in contents]
    return Batch(ids=[f"clip {i}" for i in range(len(contents))], raw={}, lengths=None, labels=labels)


def test_it_is_a_share_of_the_clips_that_have_an_action():
    said = ["he walks", "he runs", "he runs", "he does"]
    found = VerbAccuracy().state(said, batch("walk", "walk", "run", None)).compute()
    assert found == {
        "verb_accuracy": pytest.approx(2 / 3),
        "verb_accuracy_walk": 0.5,
        "verb_accuracy_run": 1.0,
    }


def test_without_labels_it_cannot_be_measured():
    wrong = batch("walk")
    wrong.labels = None
    with pytest.raises(DataError, match="verb_accuracy: the batch has no labels"):
        VerbAccuracy().state(["he walks"], wrong)
    assert VerbAccuracy().state([" "], batch("walk")).compute()["verb_accuracy"] == 0


def test_real_captions_are_nearly_always_right():
    from motion_platform.texts.bandai import captions_of

    right = [
        names_action(caption, content)
        for content in ("walk", "run", "raise-up-left-hand", "wave-both-hands", "walk-turn-right")
        for take in range(20)
        for caption in captions_of(content, "normal", f"take {take}")[0]
    ]
    assert sum(right) / len(right) > 0.93
