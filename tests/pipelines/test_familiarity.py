"""Whether a model knows what it is asked for: what it says, to whom, and which encoder it asks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from motion_platform.core.errors import UnknownName, UsageError
from motion_platform.encoders.sentence import SentenceEncoder
from motion_platform.model.knowledge import Answer, Known, write_known
from motion_platform.motion.clip import Clip
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.pipelines import familiarity
from motion_platform.pipelines.familiarity import (
    answers_of,
    check_known,
    known_by_name,
    known_of_run,
    with_answers,
)

STRANGE = Answer("a prism refracts", 0.1, ("a person walks",))


class Told:
    """What a model knows, as the tests have it: sentences with a walk in them; who asked it with which encoder."""

    def __init__(self, encoder: str = "theirs") -> None:
        self.encoder, self.asked = encoder, []

    def answers(self, texts, encoder):
        self.asked.append((list(texts), encoder))
        return [Answer(text, 0.9 if "walk" in text else 0.1, ("a person walks",)) for text in texts]


def run_of(folder: Path | None = None, **encoders) -> SimpleNamespace:
    model = SimpleNamespace(conditioning=SimpleNamespace(encoders=encoders), card=SimpleNamespace(name="toy"))
    return SimpleNamespace(folder=folder, model=model)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    known = Told()
    monkeypatch.setattr(familiarity, "known_of_run", lambda run: known)
    return known


def own_encoder(fingerprint: str) -> SentenceEncoder:
    encoder = SentenceEncoder.__new__(SentenceEncoder)
    object.__setattr__(encoder, "fingerprint", lambda: fingerprint)
    return encoder


def test_the_models_own_encoder_is_asked_where_it_is_the_one(told: Told) -> None:
    other, own = own_encoder("another"), own_encoder("theirs")
    answers = answers_of(run_of(label=object(), text_low=other, text_high=own), ["a person walks"])
    assert [answer.known for answer in answers] == [True]
    assert told.asked == [(["a person walks"], own)]


def test_a_fresh_encoder_is_asked_where_no_slot_has_it(told: Told) -> None:
    answers_of(run_of(text_low=own_encoder("another")), ["a person walks"])
    ((_, asked),) = told.asked
    assert isinstance(asked, SentenceEncoder)
    assert not asked.training


def test_what_is_not_known_is_said_once_a_text(told: Told) -> None:
    lines: list[str] = []
    texts = ["a prism refracts", "a person walks", "a prism refracts"]
    strangers = check_known(run_of(text=own_encoder("theirs")), texts, say=lines.append)
    assert strangers == {"a prism refracts": STRANGE}
    assert lines == [STRANGE.line("toy")]
    assert told.asked[0][0] == ["a prism refracts", "a person walks"]


def test_strict_is_an_error_for_the_first(told: Told) -> None:
    with pytest.raises(UsageError, match="--strict: 'a prism refracts' is unlike what toy knows"):
        check_known(run_of(text=own_encoder("theirs")), ["a person walks", "a prism refracts"], strict=True)
    assert check_known(run_of(text=own_encoder("theirs")), ["a person walks"], strict=True) == {}


def test_a_model_that_does_not_say_is_not_asked() -> None:
    assert known_of_run(run_of()) is None
    assert answers_of(run_of(), ["a prism refracts"]) is None
    assert check_known(run_of(), ["a prism refracts"], strict=True) == {}


def test_no_text_is_no_question(told: Told) -> None:
    assert answers_of(run_of(), []) is None
    assert told.asked == []


def test_what_lies_beside_the_weights_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Known(("a person walks",), np.ones((1, 384), np.float32) / 384**0.5, {"walk": 3}, {"walk": 3}, "print")
    write_known(tmp_path, known)
    assert known_of_run(run_of(tmp_path)).sentences == ("a person walks",)
    monkeypatch.setattr(familiarity.weight_files, "find_checkpoint", Path)
    assert known_by_name(str(tmp_path)).words == {"walk": 3}
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"--model: .*empty does not say what it knows"):
        known_by_name(str(tmp_path / "empty"))


def test_a_model_that_is_not_there_is_one_line() -> None:
    with pytest.raises(UnknownName, match="unknown model 'no_such_model'"):
        known_by_name("no_such_model")


def test_a_clip_carries_what_was_said_of_its_sentence() -> None:
    clip = Clip(np.zeros((2, 22, 3), np.float32), 20.0, get_skeleton("humanml3d"), info={"seed": 1})
    assert with_answers(run_of(), clip, []) is clip
    assert with_answers(run_of(), clip, [STRANGE]).info == {"seed": 1, "unfamiliar": [STRANGE.line("toy")]}
    assert clip.info == {"seed": 1}
