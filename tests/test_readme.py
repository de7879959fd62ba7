"""The commands of the README that are marked runnable run as they stand, one after the other."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest
from documents import ROOT, blocks, commands

from motion_platform.cli import app as cli
from motion_platform.core import cards, config, weight_files
from motion_platform.data.sources import sample
from motion_platform.training import train

README = ROOT / "README.md"


@pytest.fixture(scope="module")
def place(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory):
    """A folder like the root of the repository, with tiny models under the names of those that are not shipped yet."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "motion_platform").symlink_to(ROOT / "motion_platform")
    cache = folder / "cache"
    cache.mkdir()
    (cache / f"sample-{sample._fingerprint()}").symlink_to(sample_folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTION_CACHE", str(cache))
        patch.chdir(folder)
        # Thousands of captions are encoded before training; encoding those of ten steps as they come is enough here.
        patch.setattr(train, "precompute", lambda *_: None)
        for name, recipe in (("text_to_motion_small", "smoke/text_to_motion"),):
            if name not in weight_files.shipped():
                overrides = ["train.steps=2", "validation.every=0", f"output={name}"]
                found = config.load_recipe(cards.find("configs", recipe), overrides)
                train.run(found, recipe, device="cpu", quiet=True)
        yield folder


def motion(words: list[str], capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> str:
    """Run one command in this process; what it printed."""
    patch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    said = capsys.readouterr()
    assert caught.value.code == 0, f"{' '.join(words)}\n{said.err}"
    return said.out


@pytest.mark.slow
def test_the_runnable_commands_run(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    found = [words for block in blocks(README, "bash", runnable=True) for words in commands(block)]
    assert len(found) > 8
    for words in found:
        assert words[0] == "motion", "a runnable block holds motion commands only"
        motion(words, capsys, monkeypatch)
        for option, value in itertools.pairwise(words):
            if option == "-o":
                several = Path(value).with_stem(f"{Path(value).stem}_1")  # .bvh holds one motion a file
                assert (Path(value) if Path(value).exists() else several).stat().st_size > 0
    assert not list(place.rglob("*.tmp*"))


def test_the_first_block_is_what_a_newcomer_types() -> None:
    targets = {line.split(":")[0] for line in (ROOT / "Makefile").read_text().splitlines() if ":" in line}
    typed = [words for block in blocks(README, "bash", runnable=False) for words in commands(block)]
    assert typed[:2] == [["make", "demo"], ["make", "test"]]
    assert {words[1] for words in typed if words[0] == "make"} <= targets
