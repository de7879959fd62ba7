"""A wheel must work where the repository is not: cards, data files, shipped weights, the console script."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SKIP = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is packaged, with one more shipped model, so that a build leaves nothing in the repository."""
    copy = tmp_path_factory.mktemp("source") / "repository"
    for folder in ("motion_platform", "tasks", "configs", "tokenizers"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=SKIP)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, copy)
    shipped = copy / "motion_platform" / "weights" / "nobody"
    shipped.mkdir(parents=True)
    (shipped / "model.yaml").write_text("format: 1\nname: nobody\ntask: text_to_motion\n")
    (shipped / "model.safetensors").write_bytes(b"12345678")
    (shipped / "README.md").write_text("# nobody\n")
    return copy


@pytest.fixture(scope="module")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built and installed into a folder of its own."""
    wheels, target = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site") / "packages"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = [*pip, "wheel", ".", "--no-deps", "--no-build-isolation", "-w", str(wheels)]
    subprocess.run(build, cwd=source, check=True, timeout=900)
    wheel = next(wheels.glob("*.whl"))
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True, timeout=900)
    return target


def motion(installed: Path, tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900)


def test_an_installed_wheel_finds_its_cards_and_weights(installed: Path, tmp_path: Path) -> None:
    done = motion(installed, tmp_path, sys.executable, str(installed / "bin" / "motion"), "list")
    assert done.returncode == 0, done.stderr
    for word in ("text_to_motion", "smoke/recogniser", "nobody", "mdm"):
        assert word in done.stdout
    assert f"cards: {installed / 'motion_platform' / '_cards'}" in done.stdout
    assert str(ROOT) not in done.stdout


@pytest.mark.parametrize("command", ["motion", "motion-platform"])
def test_an_installed_wheel_has_both_names_of_the_command(installed: Path, tmp_path: Path, command: str) -> None:
    done = motion(installed, tmp_path, sys.executable, str(installed / "bin" / command), "--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("motion-platform ")


def test_an_installed_wheel_reads_its_own_recipes(installed: Path, tmp_path: Path) -> None:
    code = (
        "import motion_platform; from motion_platform.core import cards, config, tasks;"
        "[config.load_recipe(cards.find('configs', n)) for n in cards.names('configs')];"
        "[tasks.load(n) for n in cards.names('tasks')]; print(motion_platform.__file__)"
    )
    done = motion(installed, tmp_path, sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(installed))


def test_an_installed_wheel_opens_the_sample(installed: Path, tmp_path: Path) -> None:
    code = (
        "from motion_platform.core.config import DataRecipe; from motion_platform.training.build import open_data;"
        "print(len(open_data(DataRecipe(name='sample'))))"
    )
    done = motion(installed, tmp_path, sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_every_file_of_the_tree_is_in_the_wheel(source: Path, installed: Path) -> None:
    package = source / "motion_platform"
    expected = {p.relative_to(source).as_posix() for p in package.rglob("*") if p.is_file()}
    for folder in ("tasks", "configs", "tokenizers"):
        cards = (source / folder).rglob("*")
        expected |= {f"motion_platform/_cards/{p.relative_to(source).as_posix()}" for p in cards if p.is_file()}
    found = {p.relative_to(installed).as_posix() for p in (installed / "motion_platform").rglob("*") if p.is_file()}
    assert not expected - found, "add these to [tool.setuptools] in pyproject.toml"


def test_packages_are_listed_one_by_one() -> None:
    tomllib = pytest.importorskip("tomllib")  # Python >= 3.11
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    tree = {
        p.parent.relative_to(ROOT).as_posix().replace("/", ".") for p in ROOT.glob("motion_platform/**/__init__.py")
    }
    cards = {f"motion_platform._cards.{p.relative_to(ROOT).as_posix().replace('/', '.')}"
             for folder in ("tasks", "configs", "tokenizers")
             for p in [ROOT / folder, *(d for d in (ROOT / folder).rglob("*") if d.is_dir())]}  # fmt: skip
    assert listed == tree | cards
