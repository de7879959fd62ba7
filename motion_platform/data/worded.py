"""Wordings beside the captions of a training set: other people's sentences for the labels of its clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from motion_platform.core.errors import DataError
from motion_platform.data.prepared import PreparedDataset
from motion_platform.texts.wordings import Whole, names_of, sentences_of, whole_sentences

A_KIND, LEAST, MOST = 80, 1, 24
"""Sentences for all clips with the same labels together, and the least and most for each of them."""


class Worded:
    """The wordings of the clips of a data set. share: the part of the draws of a clip that has wordings which are one.

    Errors: DataError when no clip has a label that is worded.
    """

    def __init__(self, dataset: PreparedDataset, rows: Iterable[int], share: float) -> None:
        self.dataset, self.share = dataset, share
        self._clips = Counter(tuple(sorted(self.labels(row).items())) for row in rows)
        self._said: dict[int, list[str]] = {}
        if not any(names_of(dict(key).get("content", "")) for key in self._clips):
            raise DataError(f"data.wordings: data set {dataset.name} ({dataset.folder}) has no label that is worded")

    def labels(self, row: int) -> dict[str, str]:
        """The labels of a clip, its content named by the kind that words it: what is alike counts together. {} where
        nothing words it: file names that are one clip's own are no kinds."""
        labels = self.dataset.labels(row)
        names = names_of(labels.get("content", ""))
        return {**labels, "content": names[0]} if names else {}

    def texts(self, row: int) -> list[str]:
        """The sentences of a clip, the same in every epoch; rare labels have more. [] where nothing words its label."""
        if row not in self._said:
            clips = self._clips[tuple(sorted(self.labels(row).items()))]
            count = max(LEAST, min(MOST, A_KIND // max(clips, 1)))
            self._said[row] = sentences_of(self.dataset.labels(row), self.dataset.id(row), count)
        return self._said[row]


class Sentences:
    """Whole sentences with their labels (texts/sentences.csv), told in the place of what a clip says of itself.

    Whatever the clip shows: for what is learned of words alone, where the pairs of a kind and a style that somebody
    recorded are only some of those that people ask for. share: of the rows of a batch.
    """

    def __init__(self, share: float) -> None:
        self.share, self.every = share, whole_sentences()
        self.labels = [_labels(each) for each in self.every]

    def texts(self) -> list[str]:
        """All that may be told."""
        return [each.text for each in self.every]


def _labels(sentence: Whole) -> dict[str, str]:
    found = {"content": sentence.kind, "style": sentence.style}
    return {target: label for target, label in found.items() if label}
