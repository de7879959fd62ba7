"""An encoder in somebody else's package: installed, listed, configured, trained with and loaded back, no edit here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from forked import ROOT, Done
from forked import run as run_forked

PLUGIN = ROOT / "tests" / "fixtures" / "plugin"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the plug-in was really installed by pip."""
    folder = tmp_path_factory.mktemp("plugin")
    copy, target = folder / "source", folder / "site"
    shutil.copytree(PLUGIN, copy, ignore=shutil.ignore_patterns("__pycache__"))  # a build leaves files behind
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "install", "--no-deps"]
    command = [*pip, "--no-build-isolation", "--target", str(target), str(copy)]
    subprocess.run(command, check=True, timeout=900)
    return target


@pytest.fixture
def motion(site: Path, sample_folder: Path, tmp_path: Path):
    def run(*arguments: str, plugin: bool = True) -> Done:
        paths = [str(ROOT), *([str(site)] if plugin else [])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1",
                       "MOTION_CACHE": str(tmp_path / "cache")}  # fmt: skip
        return run_forked(["-m", "motion_platform", *arguments], environment, cwd=tmp_path)

    return run


def test_an_encoder_from_outside_is_listed_configured_trained_with_and_loaded_back(
    motion, sample_folder: Path, tmp_path: Path
) -> None:
    listed = motion("list", "encoders")
    (line,) = [line for line in listed.stdout.splitlines() if line.split()[0] == "letters"]
    assert line.split()[1] == "text"  # what it reads
    assert line.endswith("(from motion-plugin-example)")
    assert "broken" in listed.stdout  # listed without being imported

    recipe = ["smoke/text_to_motion", f"data.folder={sample_folder}", "train.steps=2", "output=run", "--device", "cpu"]
    chosen = [f"slots.{slot}.encoder=letters" for slot in ("text_high", "text_low")]
    wrong = motion("train", *recipe, *chosen, "slots.text_high.settings.scales=1.0")
    assert wrong.returncode == 2
    assert "slots.text_high: letters has no setting 'scales'; did you mean 'scale'?" in wrong.stderr
    trained = motion("train", *recipe, *chosen, "slots.text_high.settings.scale=0.2")
    assert trained.returncode == 0, trained.stderr
    assert "encoder: letters" in (tmp_path / "run" / "model.yaml").read_text()

    made = ["generate", "text_to_motion", "--model", "run", "--text", "a person walks", "--seconds", "1", "-o", "a.npz"]
    loaded = motion(*made)
    assert loaded.returncode == 0, loaded.stderr
    assert (tmp_path / "a.npz").stat().st_size > 0
    without = motion(*made[:-1], "b.npz", plugin=False)
    assert without.returncode == 2
    assert "unknown encoder 'letters'" in without.stderr
    assert without.stderr.count("\n") == 1
    assert not (tmp_path / "b.npz").exists()


def test_a_broken_plug_in_fails_only_when_it_is_asked_for(motion, sample_folder: Path) -> None:
    recipe = ["smoke/text_to_motion", f"data.folder={sample_folder}", "train.steps=1", "output=x", "--device", "cpu"]
    done = motion("train", *recipe, "slots.text_high.encoder=broken", "--debug")
    assert done.returncode == 1
    assert "this plug-in is broken on purpose" in done.stderr
    assert "broken.py" in done.stderr  # its own traceback


def test_a_plug_in_that_repeats_a_name_harms_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from motion_platform.core import registry

    clash = (("jerk", "somebody.metrics:Jerk", "somebody"),)
    monkeypatch.setattr(registry, "plugins", lambda kind: clash if kind == "metrics" else ())
    assert registry.table("metrics")["jerk"][1] == "motion_platform"
    assert registry.table("metrics")["jerk@somebody"] == ("somebody.metrics:Jerk", "somebody")
    assert registry.get("metrics", "jerk").__name__ == "Jerk"


def test_a_class_that_is_not_of_its_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from motion_platform.core import registry
    from motion_platform.core.errors import ConfigError

    monkeypatch.setattr(registry, "plugins", lambda kind: (("odd", "pathlib:Path", "somebody"),))
    with pytest.raises(
        ConfigError, match=r"odd \(pathlib:Path\): is no Encoder; what stands under encoders must be one"
    ):
        registry.get("encoders", "odd")


def test_everything_in_the_table_is_of_its_kind() -> None:
    from motion_platform.core import registry
    from motion_platform.core.catalog import CATALOG

    for kind, names in CATALOG.items():
        for name in names:
            assert issubclass(registry.get(kind, name), registry.base_of(kind))
