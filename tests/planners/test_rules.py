"""The planner "rules" against what a person says of the same sentences."""

import statistics
import time

import pytest

from motion_platform.planners.rules import Rules

ACTIONS = {
    "a person walks in, bows and waves": ["walk in", "bow", "wave"],
    "walks forward, then bows": ["walk forward", "bow"],
    "raise the left hand, then the right": ["raise the left hand", "raise the right hand"],
    "raise the right hand, then both": ["raise the right hand", "raise both hands"],
    "walk forward, then back": ["walk forward", "walk back"],
    "a person kicks with the right leg, then the left": ["kick with the right leg", "kick with the left leg"],
    "a man takes four steps forward and one back": ["walk forward", "take one step back"],
    "After walking forward, she bows": ["walk forward", "bow"],
    "Before bowing, he walks": ["walk", "bow"],
    "he bows after walking forward": ["walk forward", "bow"],
    "a person starts by bowing and ends with a wave": ["bow", "wave"],
    "a person raises both hands and lowers them": ["raise both hands", "lower both hands"],
    "a woman walks happily. Then she waves with her left hand.": ["walk happily", "wave with her left hand"],
    "a person is walking forward and then turns left": ["walk forward", "turn left"],
    "a man begins with a kick and ends with a punch": ["kick", "punch"],
    "lift your right arm, then your left": ["lift your right arm", "lift the left arm"],
    "a person stands and waves": ["stand and waves"],
    "a person raises the left and right hands": ["raise the left and right hands"],
    "a person jumps up and down": ["jump up and down"],
    "walk forward and back": ["walk forward and back"],
}
LEFT_OUT = {
    "turns right, not left": ("a person turns right", "not left"),
    "a person turns not left but right": ("a person turns right", "not left"),
    "raises the right hand, not the left": ("a person raises the right hand", "not the left"),
    "a person does not walk": ("a person stands still", "a person does not walk"),
    "never bows": ("a person stands still", "never bows"),
    "a person doesn't bow but waves": ("a person waves", "a person doesn't bow"),
    "a man doesn't walk, he runs": ("a man runs", "a man doesn't walk"),
    "don't walk, run": ("a person runs", "don't walk"),
    "without moving the arms, a person walks": ("a person walks", "without moving the arms"),
    "instead of walking she dances": ("she dances", "instead of walking"),
    "without waving a person walks": ("a person walks", "without waving"),
    "a person walks instead of running": ("a person walks", "instead of running"),
}
NUMBERS = {
    "walks for ten seconds": (10.0, None, "times"),
    "dance for half a minute": (30.0, None, "times"),
    "a person walks forward for 2.5 seconds": (2.5, None, "times"),
    "a person bows twice": (None, 2.0, "times"),
    "a person jumps three times": (None, 3.0, "times"),
    "a person takes four steps forward": (None, 4.0, "steps"),
    "a person walks 5 meters": (None, 5.0, "metres"),
    "a person walks ten feet forward": (None, 3.048, "metres"),
    "a person turns 90 degrees to the left": (None, 90.0, "degrees"),
    "a person turns in a full circle": (None, 360.0, "degrees"),
}


@pytest.fixture(scope="module")
def rules():
    return Rules()


@pytest.mark.parametrize("sentence", ACTIONS)
def test_actions_in_their_order(rules, sentence):
    (plan,) = rules.plan([sentence])
    assert [segment.action for segment in plan.segments] == ACTIONS[sentence]


def test_who_does_it_and_how_goes_into_every_text(rules):
    (plan,) = rules.plan(["a tired old man walks slowly, then sits down"])
    assert [segment.text for segment in plan.segments] == ["a tired old man walks slowly", "a tired old man sits down"]
    assert [segment.style for segment in plan.segments] == ["tired", "tired"]
    (plan,) = rules.plan(["two people walk and wave"])
    assert [segment.text for segment in plan.segments] == ["two people walk", "two people wave"]


@pytest.mark.parametrize("sentence", LEFT_OUT)
def test_what_is_denied_is_taken_out_and_named(rules, sentence):
    (plan,) = rules.plan([sentence])
    text, denied = LEFT_OUT[sentence]
    assert [segment.text for segment in plan.segments] == [text]
    assert plan.notes == (f"left out: {denied}",)


@pytest.mark.parametrize("sentence", NUMBERS)
def test_numbers_become_lengths_and_amounts(rules, sentence):
    (plan,) = rules.plan([sentence])
    seconds, amount, unit = NUMBERS[sentence]
    segment = plan.segments[0]
    assert len(plan.segments) == 1
    assert segment.seconds == seconds
    assert segment.amount == (None if amount is None else pytest.approx(amount))
    assert segment.unit == unit
    assert not any(character.isdigit() for character in segment.text)


def test_two_actions_at_once_have_lanes_of_their_own(rules):
    (plan,) = rules.plan(["a person walks while waving the right hand"])
    assert [(segment.text, segment.lane) for segment in plan.segments] == [
        ("a person walks", "lower_body"),
        ("a person waves the right hand", "right_arm"),
    ]
    (plan,) = rules.plan(["a person bends while turning"])
    assert [segment.text for segment in plan.segments] == ["a person bends while turning"]


@pytest.mark.parametrize(
    "sentence",
    [
        "a person walks forward", "Somebody  waves!", "eine Person geht", "a man is running",
        "a man nods as if he were in charge", "quiet as a mouse", "she spins as fast as she can", "I am running",
        "balances on one foot, shaking", "lands with two feet", "kicks with the left foot",
    ],
)  # fmt: skip
def test_one_plain_action_is_left_letter_by_letter(rules, sentence):
    (plan,) = rules.plan([sentence])
    assert [segment.text for segment in plan.segments] == [sentence]
    assert plan.notes == ()


def test_left_is_a_side_and_no_verb_of_leaving(rules):
    (plan,) = rules.plan(["left arm rises and falls"])
    assert not any("leave" in segment.action for segment in plan.segments)


def test_it_answers_at_once(rules):
    """A thousandth of what loading a model costs; the limit is far above what it takes (0.3 ms)."""
    rules.plan(["warm up"])
    times = []
    for sentence in ACTIONS:
        began = time.process_time()
        rules.plan([sentence])
        times.append(time.process_time() - began)
    assert statistics.median(times) < 0.005


@pytest.mark.parametrize(
    ("sentence", "texts"),
    [
        ("hi! with the left hand", ["hi! with the left hand"]),
        ("a man walks forward. Like a king.", ["a man walks forward. Like a king."]),
        ("A person walks, then runs. With joy.", ["A person walks", "A person runs with joy"]),
        ("He waves with the right hand, then with the left",
            ["He waves with the right hand", "He waves with the left hand"]),
        ("with the left hand", ["with the left hand"]),
    ],
)  # fmt: skip
def test_how_an_action_is_done_is_no_action_of_its_own(rules, sentence, texts):
    assert [segment.text for segment in rules.plan([sentence])[0].segments] == texts


def test_numbers_in_a_sentence_of_their_own_are_those_of_the_action_before(rules):
    (segment,) = rules.plan(["Wave! With both hands! For 5 seconds!"])[0].segments
    assert (segment.text, segment.seconds) == ("a person waves with both hands", 5.0)
    (segment,) = rules.plan(["walk for 3 seconds. at night"])[0].segments
    assert (segment.text, segment.seconds) == ("a person walks at night", 3.0)
    (segment,) = rules.plan(["He kicks three times. With the left foot."])[0].segments
    assert (segment.text, segment.amount, segment.unit) == ("He kicks with the left foot", 3.0, "times")


@pytest.mark.parametrize(
    ("sentence", "second"),
    [
        ("lift the left hand and wave", "a person waves with the left hand"),
        ("She raises both hands and waves.", "She waves with both hands"),
        ("He puts his right arm up and beckons", "He beckons with the right arm"),
        ("lift the left hand and wave the right hand", "a person waves the right hand"),  # it says so itself
        ("raise the left hand and kick", "a person kicks"),
        ("kick the left hand and wave", "a person waves"),
        ("lift the hand and wave", "a person waves"),
    ],
)
def test_a_hand_that_is_lifted_is_the_one_that_waves(rules, sentence, second):
    assert [segment.text for segment in rules.plan([sentence])[0].segments][1:] == [second]
