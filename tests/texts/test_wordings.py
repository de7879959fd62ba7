"""Wordings: many, of the right side and form, with a part that training never sees."""

import csv
import re
from pathlib import Path

import pytest

from motion_platform.core.errors import UnknownName
from motion_platform.texts import wordings
from motion_platform.texts.bandai import CANONICAL_STYLES, vocabulary
from motion_platform.texts.wordings import kinds, listed, names_of, sentences_of, styles, subjects, whole_sentences

CONTENTS = sorted(vocabulary()["contents"])
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
STYLES = sorted({CANONICAL_STYLES.get(style, style) for style in vocabulary()["styles"]})


@pytest.mark.parametrize("content", CONTENTS)
def test_every_content_of_the_data_has_many_wordings(content):
    (name, *_) = names_of(content)
    (kind,) = [kind for kind in kinds() if kind.name == name]
    (held,) = [kind for kind in kinds("development") if kind.name == name]
    assert len(kind.do) + len(kind.say) >= 24
    assert len(held.do) + len(held.say) >= 6
    assert all(re.search(r"<\w", phrase) for phrase in kind.do)
    assert not any("<" in text for text in kind.say)


@pytest.mark.parametrize("style", STYLES)
def test_every_style_of_the_data_has_words(style):
    training, held = styles()[style], styles("development")[style]
    assert sum(map(len, training.values())) >= 15
    assert any(held.values())


def test_the_parts_share_nothing_and_together_are_everything():
    for kind, held in zip(kinds(), kinds("development"), strict=True):
        assert kind.name == held.name
        assert not {*kind.do, *kind.say} & {*held.do, *held.say}
    text = "; ".join(f"wording {k}" for k in range(40))
    assert {*listed(text, "training"), *listed(text, "development")} == {f"wording {k}" for k in range(40)}
    assert 2 <= len(listed(text, "development")) <= 16
    assert listed("one; two", "development") == ()


def test_no_development_wording_is_in_a_training_sentence():
    held = {kind.name: kind for kind in kinds("development")}
    for content in ("punch", "walk", "dance-short"):
        said = sentences_of({"content": content}, "id", 400)
        for phrase in held[content].say:
            whole = re.compile(rf"(^|: |of ){re.escape(phrase)}($|[.!]| animation| loop|, full body)", re.IGNORECASE)
            assert not [text for text in said if whole.search(text)]


def test_no_sentence_of_the_list_is_one_of_a_test_or_a_held_out_phrase_but_for_signs_and_capitals():
    def bare(text: str) -> str:
        return re.sub(r"[^a-z ]", "", text.lower()).strip()

    held = {bare(p) for kind in kinds("development") for p in (*kind.say, *kind.do)}
    held -= {bare(p) for kind in kinds("training") for p in (*kind.say, *kind.do)}
    for name in ("unseen_wordings.csv", "unseen_wordings_2.csv"):
        with (BENCHMARKS / name).open(encoding="utf-8") as rows:
            held |= {bare(row["sentence"]) for row in csv.DictReader(rows)}
    assert len(held) > 400
    listed = [*whole_sentences("training"), *whole_sentences("development")]
    assert not [sentence.text for sentence in listed if bare(sentence.text) in held]


def test_sides_are_swapped_in_every_wording_of_the_other_side():
    for content, other in (("wave-left-hand", "wave-right-hand"), ("walk-turn-left", "walk-turn-right")):
        kind = next(k for k in kinds() if k.name == content)
        swapped = next(k for k in kinds() if k.name == other)
        assert all(re.search(r"\bleft|lefty|counterclockwise", p) for p in (*kind.do, *kind.say))
        assert not [p for p in (*swapped.do, *swapped.say) if re.search(r"\bleft\b", p)]
        assert len(kind.do) == len(swapped.do)


def test_sentences_follow_the_subject_and_the_form():
    wording = wordings.Wording("walk", "sad", "training", wordings.random.Random(0))
    way = "<make> <their> way past <them>, and <they> <drag> <themself> on"
    assert wording.formed(way, "s", "the old woman") == "makes her way past her, and she drags herself on"
    assert wording.formed(way, "ing", "Mr. Smith") == "making his way past him, and he dragging himself on"
    assert wording.formed(way, "base", "you") == "make your way past you, and you drag yourself on"
    assert wording.formed("<hop> on <their> feet", "base", "I") == "hop on my feet"
    said = sentences_of({"content": "walk", "style": "sad"}, "id", 400)
    assert not [text for text in said if "<" in text or ">" in text]


def test_a_style_is_said_and_the_normal_one_need_not_be():
    proud = sentences_of({"content": "bow", "style": "proud"}, "id", 60)
    plain = sentences_of({"content": "bow", "style": "normal"}, "id", 60)
    words = {word for part in styles()["proud"].values() for word in part}
    whole = {each.text.lower().rstrip(".!") for each in wordings.whole_sentences()}  # these say it in their own way
    lower = [text.lower() for text in proud if text.lower().rstrip(".!") not in whole]
    hits = sum(any(word.lower() in text for word in words) for text in lower)
    assert hits >= 0.85 * len(lower) > 15  # slips of the finger hide a few
    ours = [text.lower() for text in plain if text.lower().rstrip(".!") not in whole]  # "without any swagger" is plain
    assert ours
    assert not any(word.lower() in text for word in words if len(word) > 8 for text in ours)


def test_they_are_the_same_for_a_seed_and_distinct():
    first = sentences_of({"content": "run", "style": "old"}, "a", 30)
    assert first == sentences_of({"content": "run", "style": "old"}, "a", 30)
    assert len(set(first)) == 30
    assert first != sentences_of({"content": "run", "style": "old"}, "b", 30)
    assert first[:5] == sentences_of({"content": "run", "style": "old"}, "a", 5)


def test_what_has_no_wordings_says_nothing_and_patterns_fit():
    assert sentences_of({"content": "idle stand reach R 60 high", "style": "x"}, "a", 3) == []
    assert sentences_of({}, "a", 3) == []
    assert len(sentences_of({"content": "depositFloorR", "style": "x"}, "a", 3)) == 3
    assert names_of("wave-right-hand") == ("wave-right-hand", "wave-any")
    with pytest.raises(UnknownName):
        wordings.Wording("levitate", None, "training", wordings.random.Random(0))


def test_subjects_are_no_people_of_a_style():
    people = {who for style, of in styles().items() if style != "normal" for who in of["who"]}
    assert len(subjects()) >= 40
    assert not set(subjects()) & people


def test_whole_sentences_are_of_known_kinds_and_styles_and_in_no_test_set():
    every = [*wordings.whole_sentences("training"), *wordings.whole_sentences("development")]
    assert len({each.text.lower() for each in every}) == len(every)
    assert {each.style for each in every} == {"", *styles()}
    known = {kind.name for kind in kinds()}
    assert {each.kind for each in every} <= known | {""}
    for content in CONTENTS:
        (name, *_) = names_of(content)
        assert sum(each.kind == name for each in every) >= 200, name
    tests = [BENCHMARKS / name for name in ("unseen_wordings.csv", "unseen_wordings_2.csv", "bare_verbs.csv")]
    asked = {row["sentence"].lower() for path in tests for row in csv.DictReader(path.open(encoding="utf-8"))}
    assert not asked & {each.text.lower() for each in every}


def test_a_whole_sentence_is_drawn_for_its_kind_and_style_and_a_held_out_one_never():
    held = {each.text.lower() for each in wordings.whole_sentences("development")}
    mine = {each.text.lower() for each in wordings.whole_sentences() if (each.kind, each.style) == ("kick", "angry")}
    said = {text.lower().rstrip(".!") for text in sentences_of({"content": "kick", "style": "angry"}, "id", 200)}
    drawn = {text for text in mine if text.rstrip(".!") in said}
    assert len(drawn) > len(mine) / 2
    assert not {text for text in held if text.rstrip(".!") in said}
    assert 0.1 < len(held) / (len(held) + len(wordings.whole_sentences())) < 0.3
