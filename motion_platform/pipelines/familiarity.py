"""Whether a model knows what it is asked for: one line where it does not, or an error for who wants to be strict."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from motion_platform.core import weight_files
from motion_platform.core.errors import UsageError
from motion_platform.encoders.sentence import SentenceEncoder
from motion_platform.model.knowledge import Answer, Known, read_known
from motion_platform.model.run import Run
from motion_platform.motion.clip import Clip


def known_of_run(run: Run) -> Known | None:
    """What the model of a run knows, None where its folder does not say."""
    return None if run.folder is None else read_known(run.folder)


def known_by_name(name: str) -> Known:
    """What a model (a shipped name or a folder) knows. UsageError where it does not say."""
    found = read_known(weight_files.find_checkpoint(name))
    if found is None:
        raise UsageError(
            f"--model: {name} does not say what it knows; `motion info {name}` says which data it was trained on"
        )
    return found


def sentence_encoders(run: Run) -> list[SentenceEncoder]:
    """The encoders of the model that read whole sentences."""
    return [each for each in run.model.conditioning.encoders.values() if isinstance(each, SentenceEncoder)]


def answers_of(run: Run, texts: Sequence[str]) -> list[Answer] | None:
    """What the model says of each text; None where nothing is known of what it knows."""
    known = known_of_run(run)
    if known is None or not texts:
        return None
    encoder = next((each for each in sentence_encoders(run) if each.fingerprint() == known.encoder), None)
    return known.answers(texts, encoder or SentenceEncoder().eval())


def check_known(
    run: Run, texts: Sequence[str], *, strict: bool = False, say: Callable[[str], None] | None = None
) -> dict[str, Answer]:
    """text -> answer, of the texts that the model does not know; a line for each. UsageError for one when strict."""
    strangers = {
        answer.text: answer for answer in answers_of(run, list(dict.fromkeys(texts))) or () if not answer.known
    }
    for answer in strangers.values():
        line = answer.line(run.model.card.name)
        if strict:
            raise UsageError(f"--strict: {line}")
        if say is not None:
            say(line)
    return strangers


def with_answers(run: Run, clip: Clip, strangers: Sequence[Answer]) -> Clip:
    """A clip that carries what the model said of sentences that it does not know."""
    if not strangers:
        return clip
    return clip.with_(info={**clip.info, "unfamiliar": [answer.line(run.model.card.name) for answer in strangers]})
