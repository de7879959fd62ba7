import pytest

from motion_platform.texts.familiar import stem
from motion_platform.texts.plainly import joined_stem, plainly

SENTENCES = {
    "The thief threw a stone": "a person throws a stone",
    "she waves": "a person waves",
    "an old soldier ran off": "a old person runs off",
    "somebody bows": "a person bows",
    "a giant walks": "a giant walks",
    "two people hug each other": "two people hug each other",
    "walk past the thief": "walk past the thief",
    "": "",
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_who_and_when_are_those_of_captions(sentence):
    assert plainly(sentence) == SENTENCES[sentence]


def test_forms_of_a_verb_have_one_stem():
    for forms in (("run", "runs", "running"), ("dance", "dances", "dancing", "danced"), ("hop", "hopped")):
        assert len({joined_stem(stem(form)) for form in forms}) == 1, forms
    assert joined_stem("press") == "press"
    assert joined_stem("see") == "see"
