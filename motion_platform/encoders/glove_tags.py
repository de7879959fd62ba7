"""The input of the official text-motion evaluator: a GloVe vector and a part-of-speech tag for every word.

Guo et al. 2022, Generating Diverse and Natural 3D Human Motions from Text, section 6.1; the vectors come in the
evaluator's own files (``our_vab_data.npy``, ``our_vab_words.pkl``, ``our_vab_idx.pkl``). Pickles can run code when they
are read: these are read by an unpickler that knows lists, tables, words and numbers, and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motion_platform.core import weight_files
from motion_platform.core.errors import DataError, WeightsError
from motion_platform.encoders import word_tags
from motion_platform.encoders.text import TextEncoder
from motion_platform.motion.io.arrays import mapped

MAX_WORDS = 20
"""The evaluator reads so many words of a caption, and one mark before and one after them."""
START, END = "sos/OTHER", "eos/OTHER"
NUMPY = {("numpy", "dtype"), ("numpy", "ndarray")} | {
    (f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("scalar", "_reconstruct")
}


class PlainUnpickler(pickle.Unpickler):
    """Reads containers, text, numbers and numpy arrays; anything else is refused before it can do something."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in NUMPY:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it wants to import {module}.{name}, which a list of words does not need")


def read_plain_pickle(path: Path) -> Any:
    """The content of a pickle of plain data. Errors: WeightsError for anything else, and for a damaged file."""
    try:
        return PlainUnpickler(io.BytesIO(path.read_bytes())).load()
    except Exception as error:  # a broken pickle raises nearly anything
        raise WeightsError(f"{path}: is not a plain table of words: {' '.join(str(error).split())[:200]}") from error


def read_vectors(folder: Path, prefix: str = "our_vab") -> dict[str, np.ndarray]:
    """word -> (300,) float32 from ``<prefix>_data.npy``, ``_words.pkl``, ``_idx.pkl``. Errors: WeightsError."""
    paths = [folder / f"{prefix}_{part}" for part in ("data.npy", "words.pkl", "idx.pkl")]
    for path in paths:
        if not path.is_file():
            raise WeightsError(f"{path}: is missing; give the evaluator's glove folder with all three {prefix}_* files")
    try:
        vectors = mapped(paths[0], "r")
    except DataError as error:
        raise WeightsError(f"{paths[0]}: is not an array of vectors: {error}") from error
    words, index = read_plain_pickle(paths[1]), read_plain_pickle(paths[2])
    good = (
        vectors.ndim == 2
        and isinstance(words, list)
        and isinstance(index, dict)
        and all(isinstance(word, str) and 0 <= int(index.get(word, -1)) < len(vectors) for word in words)
    )
    if not good:
        raise WeightsError(f"{folder}: {prefix}_words.pkl, _idx.pkl and _data.npy do not belong together")
    table = {word: vectors[int(index[word])].astype(np.float32) for word in words}
    for needed in ("sos", "eos", "unk"):
        if needed not in table:
            raise WeightsError(f"{paths[1]}: has no word {needed!r}; it is not the evaluator's vocabulary")
    return table


class GloveTags(TextEncoder):
    """Text -> (N, 300 + 15): sos, at most 20 words, eos, each as its GloVe vector and a one-hot part of speech.

    A caption's length is that of its words with both marks; there is no padding word in it (counting padding is the
    bug that made the tables of 2022-23 wrong). folder: the evaluator's ``glove`` folder. tags: the ``texts`` folder of
    HumanML3D or KIT-ML, whose captions carry their tags; other sentences are tagged by the rules of
    :mod:`motion_platform.encoders.word_tags`, or may be given as ``word/TAG word/TAG``. No spaCy is needed.
    Errors: WeightsError, DataError.
    """

    limit = MAX_WORDS + 2

    def __init__(self, folder: str, tags: str | None = None) -> None:
        place = Path(folder).expanduser()
        self.words = read_vectors(place)
        self.published = word_tags.read_published(Path(tags).expanduser()) if tags else {}
        hashes = [weight_files.sha256_of(place / f"our_vab_{part}") for part in ("data.npy", "words.pkl", "idx.pkl")]
        known = hashlib.sha256(repr(sorted(self.published.items())).encode()).hexdigest()
        super().__init__("GloVe with tags", identity=f"{' '.join(hashes)} {known}", frozen=True)
        self.size = len(self.words["unk"])
        self.dim = self.size + len(word_tags.TAGS)
        self.register_buffer("place", torch.zeros(0), persistent=False)
        self.finish()

    @property
    def device(self) -> torch.device:
        return self.place.device

    def tokens(self, text: str) -> list[str]:
        """``["sos/OTHER", "person/NOUN", ..., "eos/OTHER"]``."""
        if text.strip() in self.published:
            found = self.published[text.strip()]
        else:
            found = text.split() if word_tags.is_tagged(text) else word_tags.tag(text, self.words)
        if len(found) > MAX_WORDS:
            self.cut(len(found) + 2)
        return [START, *found[:MAX_WORDS], END]

    def vector(self, token: str) -> np.ndarray:
        """``walk/VERB`` -> (315,) float32; an unknown word is ``unk`` with the tag OTHER."""
        word, _, kind = token.rpartition("/")
        tag = np.zeros(len(word_tags.TAGS), np.float32)
        kind = word_tags.SPECIAL.get(word, kind) if word in self.words else "OTHER"
        tag[word_tags.TAGS.index(kind if kind in word_tags.TAGS else "OTHER")] = 1
        return np.concatenate([self.words.get(word, self.words["unk"]), tag])

    def encode(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        rows = [np.stack([self.vector(token) for token in self.tokens(text)]) for text in texts]
        tokens = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(row) for row in rows], batch_first=True)
        mask = torch.arange(tokens.shape[1])[None] < torch.tensor([len(row) for row in rows])[:, None]
        return tokens.to(self.device), mask.to(self.device)
