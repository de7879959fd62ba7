"""What a person asks for, in the words of the Python face (pipelines/pipeline.py), and checked before any work.

A call is one of ``generate`` (the pipeline itself), ``edit``, ``caption`` and ``seconds``. Where Python takes a file,
a call takes the id of an upload, or ``KEY/NUMBER``: a motion of an answer that was given before.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from motion_platform.core import config
from motion_platform.core.config import Strict
from motion_platform.core.errors import UnknownName, UsageError

MOST_MOTIONS, MOST_SECONDS = 32, 1200.0
"""Of one request: motions, and seconds of all of them together."""

Words = str | list[str] | None
Weights = float | dict[str, float] | None


class Asked(Strict):
    """What all calls have. model: one name or several, each of which answers; None: the task's default."""

    task: str
    model: str | list[str] | None = None
    seed: int = Field(default=0, ge=0, le=2**53)
    samples: int = Field(default=1, ge=1, le=16)

    def models(self) -> list[str | None]:
        """The models that answer, each once."""
        return list(dict.fromkeys(self.model)) if isinstance(self.model, list) else [self.model]

    def files(self) -> list[str]:
        """The uploads and motions that the call names."""
        return []


class Sampled(Asked):
    """What the calls have that make motion."""

    guidance: Weights = None
    sampler: str | None = None
    steps: int | None = Field(default=None, ge=1, le=1000)


class Generate(Sampled):
    """``pipeline(text, ...)``. timeline: its segments, never the name of a file."""

    task: str = "text_to_motion"
    text: Words = None
    low_text: Words = None
    music: Words = None
    style: Words = None
    give: dict[str, Any] = Field(default_factory=dict)
    motion: str | None = None
    timeline: list[str | list[Any] | dict[str, Any]] | None = Field(default=None, max_length=64)
    plan: str = "rules"
    strict: bool = False
    seconds: float | list[float] | None = None
    amplitude: float = Field(default=1.0, gt=0, le=10)

    def files(self) -> list[str]:
        return [*_several(self.music), *_several(self.motion)]


class Edit(Sampled):
    """``pipeline.edit(clip, keep=...)``."""

    task: str = "motion_editing"
    clip: str
    keep: str | None = None
    text: str | None = None
    low_text: str | None = None
    seconds: float | None = None
    keep_seconds: float = 1.0
    frames: list[int] = Field(default_factory=list, max_length=1000)

    def files(self) -> list[str]:
        return [self.clip]


class Caption(Asked):
    """``pipeline.caption(clips)``."""

    task: str = "motion_to_text"
    clips: str | list[str]

    def files(self) -> list[str]:
        return _several(self.clips)


class Seconds(Asked):
    """``pipeline.seconds(text)``."""

    task: str = "length_from_text"
    text: str | list[str]


CALLS: dict[str, type[Asked]] = {"generate": Generate, "edit": Edit, "caption": Caption, "seconds": Seconds}


def check(call: str, values: Any) -> Asked:
    """A call with its values. Errors: UnknownName for a call; UsageError, one line, for its values."""
    if call not in CALLS:
        raise UnknownName("call", call, CALLS)
    if not isinstance(values, Mapping):
        raise UsageError(f"{call}: got {type(values).__name__}; send a JSON object of the call's words")
    asked = config.check(CALLS[call], values, call)
    models, motions = len(asked.models()), asked.samples
    texts = _several(getattr(asked, "text", None))
    motions *= models * max(1, len(texts), len(_several(getattr(asked, "music", None))))
    lengths = [float(value) for value in _several(getattr(asked, "seconds", None))]
    if models > MOST_MOTIONS or motions > MOST_MOTIONS:
        raise UsageError(f"{call}: asks for {motions} answers; allowed: at most {MOST_MOTIONS} in one request")
    timeline = getattr(asked, "timeline", None) or []
    lengths.append(math.fsum(s["seconds"] for s in timeline if isinstance(s, dict) and _is_number(s.get("seconds"))))
    if max(lengths, default=0.0) * motions > MOST_SECONDS:
        raise UsageError(f"seconds: {motions} motions of {max(lengths):g} s; allowed: {MOST_SECONDS:g} s in all")
    return asked


def key_of(call: str, asked: Asked, weights: Mapping[str, str]) -> str:
    """20 hexadecimal digits that stand for the call, its inputs and the weights that answer it: equal ones are equal.

    weights: name of a model -> its sha256.
    """
    said = json.dumps([call, asked.model_dump(), dict(weights)], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(said.encode("ascii")).hexdigest()[:20]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
