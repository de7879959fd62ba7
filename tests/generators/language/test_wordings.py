import pytest
import yaml

from motion_platform.core.errors import ConfigError, UnknownName
from motion_platform.generators.language import wordings as lm_templates
from motion_platform.generators.language.wordings import EXTRA, FILE, TASKS, load, spelled


def encode(text):
    return [text]  # a word for an id: what is encoded together stays together


def test_our_file_is_valid_and_holds_wordings_out():
    found = load()
    for task in TASKS:
        assert len(found.wordings[task]) >= 3
        assert found.unseen[task]
        assert not set(found.wordings[task]) & set(found.unseen[task])
    assert all(len(group) == 1 for group in load(limit=1).wordings.values())


def test_the_many_wordings_are_at_least_200_a_task_and_none_is_held_out_and_seen():
    many = load("many")
    for task in set(TASKS) - set(EXTRA):
        assert len(many.wordings[task]) >= 200
    for task in TASKS:
        assert many.unseen[task]
        assert not set(many.wordings[task]) & set(many.unseen[task])
        assert not any("  " in wording or "[" in wording for wording in many.wordings[task])


def test_choices_in_a_wording_are_spelled_out():
    assert spelled("[Show|Make] {text}[| now].") == [
        "Show {text}.",
        "Show {text} now.",
        "Make {text}.",
        "Make {text} now.",
    ]
    assert spelled("Go on.") == ["Go on."]


def test_a_prompt_reads_as_running_text_with_motion_between():
    found = load()
    assert found.prompt("Do: {text}.", {"text": "a man walks", "seconds": ""}, encode) == ["Do: a man walks."]
    said = found.prompt("Do: {text}.", {"text": "a man walks", "seconds": "2.5"}, encode)
    assert said == ["Do: a man walks." + found.also["seconds"].format(seconds="2.5")]
    assert found.prompt("{start} to {end}!", {"start": [1, 2], "end": [3]}, encode) == [1, 2, " to ", 3, "!"]
    assert found.prompt("Via {keys}.", {"keys": ["0:", [7], "4:", [8]]}, encode) == ["Via 0:", 7, "4:", 8, "."]


@pytest.mark.parametrize(
    ("task", "wording", "message"),
    [
        ("text_to_motion", "Move!", r"lacks its slot \{text\}"),
        ("motion_in_between", "{start} and then?", r"lacks its slot \{end\}"),
        ("text_to_motion", "{txt}", r"did you mean '\{text\}'"),
        ("text_to_motion", "{text} {motion}", r"has \{motion\}, which this task cannot fill"),
    ],
)
def test_a_wording_that_does_not_say_what_it_must(tmp_path, task, wording, message):
    values = yaml.safe_load(FILE.read_text())
    values["tasks"][task]["seen"].append(wording)
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(values))
    with pytest.raises((ConfigError, UnknownName), match=message) as caught:
        load(own)
    assert str(own) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_task_without_wordings_or_unknown(tmp_path):
    values = yaml.safe_load(FILE.read_text())
    own = tmp_path / "own.yaml"
    values["tasks"]["random_motion"]["seen"] = []
    own.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError, match=r"tasks.random_motion.seen: is missing"):
        load(own)
    values["tasks"]["random_motoin"] = values["tasks"].pop("random_motion")
    own.write_text(yaml.safe_dump(values))
    with pytest.raises(UnknownName, match="did you mean 'random_motion'"):
        load(own)
    assert lm_templates.ANSWERS.keys() <= TASKS.keys()
