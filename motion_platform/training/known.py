"""What a trained text model knows, written beside its weights: captions and wordings of its clips."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from motion_platform.data.loader import Collate, Loader
from motion_platform.data.prepared import PreparedDataset
from motion_platform.encoders.sentence import SentenceEncoder
from motion_platform.model.knowledge import Known, known_of, vectors_of, write_known
from motion_platform.model.motion_model import MotionModel
from motion_platform.texts.familiar import content_stems
from motion_platform.texts.wordings import names_of, sentences_of

SENTENCES, POOL, A_CLIP = 600, 4000, 8
"""Sentences that are kept; of how many they are chosen, as every one is compared with every other; and of how many a
clip, as the vectors of forty captions of each of fifty clips take longer than a short training."""
A_KIND = 8
"""Wordings of each kind that are kept besides: a kind with two clips is trained as often as one with two hundred."""
CLIPS = 20_000
"""Of a sharded set so many clips are read: its first shards, which are a sample of the whole."""
WORDED, AS_CLIPS = 100, 12
"""Sentences of a kind of which every word counts as said by at least so many clips."""
_PLAIN = re.compile(r"[a-z]+(-[a-z]+)*")


def encoder_of(model: MotionModel) -> SentenceEncoder | None:
    """The sentence encoder whose vectors a model's known sentences have; None for a model without one."""
    own = [each for each in model.conditioning.encoders.values() if isinstance(each, SentenceEncoder) and each.frozen]
    if not own:
        return None
    return next((each for each in own if each.output == "mean"), None) or SentenceEncoder(own[0].model_name).eval()


def action_of(dataset: PreparedDataset, row: int) -> str:
    """What a clip shows in a few words: its content, or its first action sequence where that is a file's name."""
    content, low = dataset.labels(row).get("content", ""), dataset.captions(row)[1]
    return content.replace("-", " ") if _PLAIN.fullmatch(content) or not low else low[0]


def known_of_clips(collate: Collate, rows: list[int], slot: str, encoder: SentenceEncoder) -> Known:
    """What the training clips ``rows`` make known in a text slot; mirrored copies are no clips of their own."""
    dataset = collate.dataset
    own = [row for row in rows if not dataset.mirrored(row)] or rows
    wanted = collate.slots[slot]  # all captions of a clip, also where a run is shown only the first of them
    clips = [list(dict.fromkeys([*dataset.inputs(row, wanted), *collate.inputs(row, slot)])) for row in own]
    actions = Counter(action for row in own if (action := action_of(dataset, row)))
    most = max(map(len, clips), default=0)
    turns = (texts[k] for k in range(most) for texts in clips if k < len(texts))  # one of every clip, then a second
    said = list(dict.fromkeys(text for text in turns if text))
    pool = said[:: max(1, -(-len(said) // min(POOL, A_CLIP * max(len(own), 1))))]
    known = known_of(clips, actions, pool, encoder, SENTENCES)
    return known if collate.worded is None else with_kinds(known, (dataset.labels(row) for row in own), encoder)


def with_kinds(known: Known, labels: Iterable[Mapping[str, str]], encoder: SentenceEncoder) -> Known:
    """Known sentences with some wordings of every kind among the labels; the words of its wordings count as common."""
    contents = dict.fromkeys(of["content"] for of in labels if names_of(of.get("content", "")))
    first = {names_of(content): content for content in reversed(contents)}  # one label of each kind
    plain = [text for content in first.values() for text in sentences_of({"content": content}, "known", A_KIND)]
    said = {
        word
        for content in first.values()
        for text in sentences_of({"content": content}, "words", WORDED)
        for word in content_stems(text)
    }
    fresh = [text for text in dict.fromkeys(plain) if text not in known.sentences]
    words = {**known.words, **{word: max(known.words.get(word, 0), AS_CLIPS) for word in sorted(said)}}
    vectors = np.concatenate([known.vectors, vectors_of(fresh, encoder)]) if fresh else known.vectors
    return replace(known, sentences=(*known.sentences, *fresh), vectors=vectors, words=words)


def write_what_is_known(model: MotionModel, loader: Loader, folder: Path, *, chief: bool = True) -> None:
    """Write the file for a generator that reads sentences by a frozen sentence encoder; nothing for any other model.

    chief: whether this is the one of several processes that writes.
    """
    slots = [slot for slot, wanted in loader.collate.slots.items() if wanted.kind == "text" and wanted.column != "low"]
    encoder = encoder_of(model) if chief and slots and model.card.model.kind == "generators" else None
    if encoder is not None:
        rows = loader.rows[:CLIPS] if loader.sharded else loader.rows
        write_known(folder, known_of_clips(loader.collate, rows.tolist(), slots[0], encoder))
