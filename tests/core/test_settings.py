"""Settings in blocks and out of them: one form inside, the nearest name for a wrong one, old names kept good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import pytest

from motion_platform.core.errors import ConfigError
from motion_platform.core.settings import arguments, arranged, blocks_of, settings_of
from motion_platform.generators.diffusion.conductor_ddpm import ConductorDDPM
from motion_platform.generators.diffusion.gesture_two_stage import GestureTwoStage
from motion_platform.generators.diffusion.mdm import MDM
from motion_platform.generators.diffusion.settings import DiffusionSettings

GIVEN = ("spec", "slots")


@dataclass(frozen=True)
class Tone:
    pitch: float = 440.0
    loud: bool = False
    renamed: ClassVar[dict[str, str]] = {"frequency": "pitch"}


@dataclass(frozen=True)
class Room:
    size: int = 3
    loud: bool = True


class Bell:
    renamed: ClassVar[dict[str, str]] = {"times": "count", "sound": "tone"}

    def __init__(self, spec: Tone, *, count: int = 1, tone: Tone = Tone(pitch=220.0), room: Room = Room()) -> None:
        self.count, self.tone, self.room = count, tone, room


def bell(**settings):
    return arguments(Bell, settings, "bell", ("spec",))


def test_what_a_block_leaves_out_is_as_in_the_components_own_default():
    assert blocks_of(Bell) == {"tone": Tone, "room": Room}  # what the platform gives is none
    assert bell(tone={"loud": True})["tone"] == Tone(220.0, True)
    assert bell(tone={}) == {"tone": Tone(220.0)}
    assert bell(count=2) == {"count": 2}


def test_a_setting_outside_its_block_is_put_into_it():
    assert arranged(Bell, {"pitch": 1.0, "count": 2, "size": 4}, "bell") == {
        "tone": {"pitch": 1.0}, "count": 2, "room": {"size": 4}}  # fmt: skip
    assert bell(pitch=1.0, tone={"loud": True})["tone"] == Tone(1.0, True)
    once = arranged(Bell, {"pitch": 1.0, "times": 2}, "bell")
    assert arranged(Bell, once, "bell") == once


def test_an_old_name_stays_good_in_a_component_and_in_a_block():
    assert bell(times=3) == {"count": 3}
    assert bell(frequency=9.0)["tone"] == bell(tone={"frequency": 9.0})["tone"] == Tone(9.0)
    assert bell(sound={"pitch": 9.0})["tone"] == Tone(9.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cuont": 1}, r"bell has no setting 'cuont'; did you mean 'count'\?"),
        ({"pitsch": 1}, r"bell has no setting 'pitsch'; did you mean 'pitch'\?"),
        ({"spec": 1}, "bell has no setting 'spec'; did you"),
        ({"tone": {"pitsch": 1}}, r"bell\.tone has no setting 'pitsch'; did you mean 'pitch'\? allowed: .*loud, pitch"),
        ({"tone": 3}, r"bell\.tone: got 3; a table of key: value is needed here"),
        ({"tone": {"pitch": "high"}}, r"bell\.tone\.pitch: got 'high'; Input should be a valid number"),
        ({"pitch": "high"}, r"bell\.tone\.pitch: got 'high'"),
        ({"pitch": 1, "tone": {"pitch": 2}}, r"tone\.pitch is written twice, as pitch and as tone\.pitch; keep one"),
        ({"count": 1, "times": 2}, "bell: count is written twice, as count and as times"),
        ({"loud": True}, r"bell: loud may be tone\.loud or room\.loud; write which"),
    ],
)
def test_what_is_wrong_is_one_line(settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        bell(**settings)
    assert "\n" not in str(caught.value)


def test_the_nearest_of_the_allowed_words_is_named():
    with pytest.raises(ConfigError, match=r"mdm\.diffusion\.schedule: got 'cosin'; did you mean 'cosine'\?"):
        arguments(MDM, {"schedule": "cosin"}, "mdm", GIVEN)


@pytest.mark.parametrize("cls", [MDM, ConductorDDPM, GestureTwoStage])
def test_a_diffusion_model_declares_none_of_the_bases_settings(cls):
    from dataclasses import fields

    shared = {field.name for field in fields(DiffusionSettings)}
    assert len(shared) == 15
    assert not shared & settings_of(cls).keys()
    assert blocks_of(cls)["diffusion"] is DiffusionSettings


class Tower:
    def __init__(
        self,
        *,
        layers: int = 1,
        heads: int = 1,
        width: int | None = None,
        hidden: int | list[int] = 1,
        dim: float = 1.0,
        kernel: int = 3,
        mode: Literal["sin", "cos"] | None = None,
        age: int = 1,
    ) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("key", "most"),
    [("layers", 1000), ("heads", 1024), ("width", 2**16), ("hidden", 2**16), ("dim", 2**16), ("kernel", 2**12)],
)
def test_a_size_that_nobody_builds_is_refused_before_it_is_built(key, most):
    assert arguments(Tower, {key: most}, "model: tower") == {key: most}
    with pytest.raises(ConfigError, match=rf"model: tower\.{key}: got {most + 1}; at most {most} is built"):
        arguments(Tower, {key: most + 1}, "model: tower")


def test_the_settings_of_a_class_are_those_that_its_constructor_names():
    assert list(settings_of(Bell)) == ["spec", "count", "tone", "room"]
    assert list(settings_of(Tower)) == ["layers", "heads", "width", "hidden", "dim", "kernel", "mode", "age"]


def test_only_sizes_and_only_numbers_are_compared_with_the_largest():
    for settings in ({"width": None}, {"hidden": [70_000]}, {"age": 10**9}):
        assert arguments(Tower, settings, "tower") == settings


def test_a_word_that_may_be_left_out_is_refused_as_its_type_says():
    assert arguments(Tower, {"mode": "sin"}, "tower") == {"mode": "sin"}
    with pytest.raises(ConfigError, match=r"^tower\.mode: got 'tan'; Input should be 'sin' or 'cos'$"):
        arguments(Tower, {"mode": "tan"}, "tower")


def test_a_class_takes_what_its_constructor_names_and_no_more():
    class Nothing:
        pass

    class Anything:
        def __init__(self, size: int = 1, **rest: int) -> None:
            raise NotImplementedError

    class Several:
        def __init__(self, *sizes: int) -> None:
            raise NotImplementedError

    assert (settings_of(Nothing), blocks_of(Nothing), arguments(Nothing, {}, "x")) == ({}, {}, {})
    with pytest.raises(ConfigError, match="x has no setting 'size'; allowed: \\(none\\)"):
        arguments(Nothing, {"size": 1}, "x")
    for wrong, said in ((Anything, r"\*\*rest"), (Several, r"\*sizes")):
        with pytest.raises(TypeError, match=f"takes {said}: .*int.*; components name every setting explicitly"):
            settings_of(wrong)
