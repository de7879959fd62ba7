from __future__ import annotations

import sys
from pathlib import Path

import pytest

from motion_platform.core import descriptions, registry
from motion_platform.core.catalog import CATALOG


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of somebody else's that cannot be imported, only read."""
    folder = tmp_path / "somebody_elses"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise SystemExit('was imported')\n")
    (folder / "things.py").write_text(
        "from somebody_elses.base import Base\n"
        "class Thing(Base):\n    '''Says how **it** is, after Guo et al. 2022 (``x``). More.\n\n    Much more. '''\n"
        "    unit = 'm'\n    size: int = 3\n    made = len('ab')\n"
        "class Bare:\n    pass\n"
    )
    (folder / "base.py").write_text("class Base:\n    reads = 'audio'\n    size = 4\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    descriptions.source_of.cache_clear()
    return "somebody_elses.things"


def test_a_class_is_described_without_being_imported(module: str) -> None:
    thing = f"{module}:Thing"
    assert descriptions.summary(thing) == "Says how **it** is, after Guo et al. 2022 (x)"
    assert descriptions.attribute(thing, "unit") == "m"
    assert descriptions.attribute(thing, "size") == 3  # its own, not the base's
    assert descriptions.attribute(thing, "reads") == "audio"  # of the base class, in another file
    assert descriptions.attribute(thing, "made") is None  # no plain value
    assert "somebody_elses" not in sys.modules


def test_what_cannot_be_read_is_empty(module: str) -> None:
    for target in (f"{module}:Bare", f"{module}:Nothing", "somebody_elses.none:X", "no_such_package:X", "sys:X"):
        assert descriptions.summary(target) == ""
        assert descriptions.attribute(target, "reads") is None


def test_everything_with_a_name_says_what_it_is_as_the_class_itself_does() -> None:
    for kind, table in CATALOG.items():
        for name, target in table.items():
            said = descriptions.summary(target)
            assert said, f"{kind} {name} has no docstring"
            assert len(said) <= 200, f"{kind} {name}: the first sentence is too long for a list"
            for attribute in ("reads", "judges", "needs"):
                value = getattr(registry.get(kind, name), attribute, None)
                if value is None or isinstance(value, str):
                    assert descriptions.attribute(target, attribute) == value or value in ("motion",)


def test_an_attribute_is_looked_for_six_classes_up_and_a_class_where_it_is_handed_on(
    module: str, tmp_path: Path
) -> None:
    folder = tmp_path / "somebody_elses"
    chain = ["class K0:\n    reads = 'text'\n"] + [f"class K{k}(K{k - 1}):\n    pass\n" for k in range(1, 8)]
    (folder / "chain.py").write_text("".join(chain))
    (folder / "sub").mkdir()
    (folder / "sub" / "__init__.py").write_text(
        "from somebody_elses.things import Thing as Renamed\nfrom . import things\n"
        "from somebody_elses.sub import Loop\n"
    )
    (folder / "broken.py").write_text("class Thing(:\n")
    assert descriptions.attribute("somebody_elses.chain:K5", "reads") == "text"
    assert descriptions.attribute("somebody_elses.chain:K6", "reads") is None
    assert descriptions.attribute("somebody_elses.sub:Renamed", "size") == 3
    assert descriptions.summary("somebody_elses.sub:Loop") == descriptions.summary("somebody_elses.broken:Thing") == ""
    assert descriptions.source_of("somebody_elses.sub") == folder / "sub" / "__init__.py"
    assert descriptions.source_of("somebody_elses") == folder / "__init__.py"
    assert descriptions.source_of("") is None


def test_a_package_without_a_file_and_a_module_without_parts_have_none(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "only_a_folder").mkdir()
    (tmp_path / "only_a_folder" / "inner.py").write_text("class Thing:\n    'Is there.'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    descriptions.source_of.cache_clear()
    assert descriptions.source_of("only_a_folder") is None
    assert descriptions.summary("only_a_folder.inner:Thing") == "Is there"
    assert descriptions.source_of("textwrap") is not None
    assert descriptions.source_of("textwrap.inner") is None


def test_an_attribute_that_is_only_annotated_is_that_of_the_base(module: str, tmp_path: Path) -> None:
    (tmp_path / "somebody_elses" / "bare.py").write_text(
        "from somebody_elses.base import Base\nclass Bare(Base):\n    reads: str\n    size: int\n"
        "class Odd(len.__class__, Base):\n    'One. Two. Three.'\n"
    )
    assert descriptions.attribute("somebody_elses.bare:Bare", "reads") == "audio"
    assert descriptions.attribute("somebody_elses.bare:Odd", "size") == 4  # what is no name is passed over
    assert descriptions.summary("somebody_elses.bare:Odd") == "One"
