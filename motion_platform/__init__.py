"""motion-platform: words, music and speech into human motion, and motion into words.

    import motion_platform as mp

    walk = mp.load("text_to_motion")("a person walks forward", seconds=4)[0]
    walk.save("walk.html")
    mp.load("music_to_conductor")(music="piece.ogg", style="grand")
    mp.load("motion_to_text").caption(mp.read("walk.bvh"))

The names below are what a program and a plug-in import; they stay here whatever moves inside. Nothing is loaded before
it is asked for (PEP 562).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PLACES = {
    # to use
    "load": "motion_platform.pipelines.pipeline",
    "Pipeline": "motion_platform.pipelines.pipeline",
    "read": "motion_platform.motion.files",
    "read_all": "motion_platform.motion.files",
    "write": "motion_platform.motion.files",
    "Clip": "motion_platform.motion.clip",
    # to plug in
    "Audio": "motion_platform.core.schema",
    "Batch": "motion_platform.core.schema",
    "Condition": "motion_platform.core.schema",
    "Edit": "motion_platform.core.schema",
    "Motion": "motion_platform.core.schema",
    "MotionSpec": "motion_platform.core.schema",
    "NoiseSource": "motion_platform.core.seeding",
    "Sampling": "motion_platform.core.schema",
    "Tokens": "motion_platform.core.schema",
    "Encoder": "motion_platform.core.contracts",
    "Generator": "motion_platform.core.contracts",
    "Metric": "motion_platform.core.contracts",
    "MotionTokenizer": "motion_platform.core.contracts",
    "Space": "motion_platform.core.contracts",
    "Plan": "motion_platform.core.plan",
    "Planner": "motion_platform.core.plan",
    "Segment": "motion_platform.core.plan",
    "State": "motion_platform.core.contracts",
    "Trainable": "motion_platform.core.contracts",
    "TextEncoder": "motion_platform.encoders.text",
    "RatioState": "motion_platform.metrics.base",
    "Representation": "motion_platform.motion.representations.base",
    "DataSource": "motion_platform.data.source",
    "Item": "motion_platform.data.source",
    "Words": "motion_platform.data.source",
    # what goes wrong
    "MotionPlatformError": "motion_platform.core.errors",
    "ConfigError": "motion_platform.core.errors",
    "DataError": "motion_platform.core.errors",
    "UsageError": "motion_platform.core.errors",
    "UnknownName": "motion_platform.core.errors",
    "WeightsError": "motion_platform.core.errors",
}
"""Public name -> the module that defines it."""

__all__ = [*sorted(_PLACES), "__version__"]

if TYPE_CHECKING:
    from motion_platform.motion.clip import Clip as Clip
    from motion_platform.motion.files import read as read
    from motion_platform.motion.files import read_all as read_all
    from motion_platform.motion.files import write as write
    from motion_platform.pipelines.pipeline import Pipeline as Pipeline
    from motion_platform.pipelines.pipeline import load as load


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'motion_platform' has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
