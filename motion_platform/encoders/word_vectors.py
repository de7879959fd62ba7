"""The words of a recording as vectors of a published table, at the moments at which they are said."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from motion_platform.core.contracts import Encoder
from motion_platform.core.errors import DataError, WeightsError
from motion_platform.core.schema import Audio, Condition, length_mask

RATE = 20.0
HEAD = 1 << 20
"""Bytes of the table that its fingerprint looks at, beside its size: the tables are gigabytes."""
_OFF = str.maketrans("", "", string.punctuation)


class WordVectors(Encoder):
    """A recording with words -> at every 1/20 s the vector of the word that is being said, zeros in silence.

    vectors: a text file of word vectors as fastText and word2vec write them: a first line "words dimensions", then a
    word and its numbers a line. OHGesture: fastText's ``crawl-300d-2M.vec``, 300 numbers (Mikolov et al. 2018,
    "Advances in Pre-Training Distributed Word Representations"). A word is looked up as it is written, without
    punctuation, else in lower case; one that the table does not have is silence. Only its index stays in memory.

    A recording without words has no token. Errors: WeightsError for a file that is no such table; DataError for what
    is no Audio.
    """

    reads = "words"
    rate_hz = RATE
    frozen = True
    hears_whole = True

    def __init__(self, vectors: str) -> None:
        super().__init__()
        self.path = Path(vectors).expanduser()
        try:
            with self.path.open("rb") as file:
                head = file.read(HEAD)
        except OSError as error:
            raise WeightsError(f"{self.path}: cannot be read: {error.strerror or error}; give a .vec file") from error
        words = head.split(b"\n", 1)[0].split()
        if len(words) != 2 or not all(word.isdigit() for word in words) or int(words[1]) < 1:
            raise WeightsError(f"{self.path}: is no table of word vectors; its first line must be: words dimensions")
        self.dim = int(words[1])
        digest = hashlib.sha256(f"{type(self).__qualname__} {RATE} {self.path.stat().st_size}".encode())
        digest.update(head)
        self.identity = digest.hexdigest()
        self.index: tuple[np.ndarray, np.ndarray] | None = None
        self.known: dict[str, np.ndarray | None] = {}
        self.eval()

    def forward(self, raw: Sequence[Audio | None]) -> Condition:
        """B recordings -> tokens (B, N, dim), mask (B, N); None, and a recording without words, has no token."""
        rows = [self._row(audio, i) for i, audio in enumerate(raw)]
        tokens = pad_sequence(rows, batch_first=True) if rows else torch.zeros(0, 0, self.dim)
        return Condition(tokens, length_mask(torch.tensor([len(row) for row in rows]), tokens.shape[1]), self.rate_hz)

    def _row(self, audio: Audio | None, i: int) -> torch.Tensor:
        if audio is not None and not isinstance(audio, Audio):
            raise DataError(f"words[{i}]: got {type(audio).__name__}, expected Audio")
        if audio is None or not audio.words:
            return torch.zeros(0, self.dim)
        row = np.zeros((max(1, int(np.ceil(audio.seconds * RATE - 1e-6))), self.dim), np.float32)
        for word in audio.words:
            parts = word.text.translate(_OFF).split()
            edges = np.linspace(word.start, word.end, len(parts) + 1)  # aligners write "let us" as one at times
            for part, start, end in zip(parts, edges[:-1], edges[1:], strict=True):
                vector = self.vector(part)
                if vector is not None:
                    first = int(start * RATE + 1e-6)
                    row[first : max(first + 1, int(end * RATE + 1e-6))] = vector
        return torch.from_numpy(row)

    def vector(self, word: str) -> np.ndarray | None:
        """(dim,) float32, or None where the table has neither the word nor its lower case. WeightsError."""
        if word not in self.known:
            found = self._read(word)
            self.known[word] = self._read(word.lower()) if found is None and word != word.lower() else found
        return self.known[word]

    def _read(self, word: str) -> np.ndarray | None:
        if self.index is None:
            self.index = self._indexed()
        hashes, places = self.index
        wanted = _hash(word.encode())
        at = int(np.searchsorted(hashes, wanted))
        with self.path.open("rb") as file:
            while at < len(hashes) and hashes[at] == wanted:
                file.seek(int(places[at]))
                name, _, numbers = file.readline().partition(b" ")
                if name == word.encode():
                    try:
                        vector = np.array(numbers.split(), np.float32)
                    except ValueError as error:
                        raise WeightsError(f"{self.path}: the line of {word!r} holds what is no number") from error
                    if len(vector) != self.dim or not np.isfinite(vector).all():
                        raise WeightsError(f"{self.path}: the line of {word!r} has not {self.dim} finite numbers")
                    return vector
                at += 1
        return None

    def _indexed(self) -> tuple[np.ndarray, np.ndarray]:
        """(hash of every word, where its line begins), in the order of the hashes: 16 bytes a word."""
        hashes, places = [], []
        with self.path.open("rb") as file:
            place = len(file.readline())
            for line in file:
                hashes.append(_hash(line[: line.find(b" ")]))
                places.append(place)
                place += len(line)
        order = np.argsort(np.array(hashes, np.uint64), kind="stable")
        return np.array(hashes, np.uint64)[order], np.array(places, np.int64)[order]

    def fingerprint(self) -> str:
        return self.identity


def _hash(word: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(word, digest_size=8).digest(), "little"))
