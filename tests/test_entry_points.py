"""Every way to start must find the real ``tokenizers`` package, not the folder of cards in the repository's root."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MOTION = "import sys; sys.argv[0] = 'motion'; from motion_platform.cli.app import main; main()"
WAYS = {
    "cli.py": [sys.executable, "cli.py"],
    "module": [sys.executable, "-m", "motion_platform"],
    "motion": [sys.executable, "-c", MOTION],  # what the console script does; test_packaging runs the script itself
    "torchrun": [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "1", "cli.py"],
    "accelerate": [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1", "cli.py"],
}


def start(way: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    command = [*WAYS[way], *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)


@pytest.mark.parametrize("way", WAYS)
def test_the_real_packages_are_found_from_the_root(way: str) -> None:
    done = start(way, "doctor")
    assert done.returncode == 0, done.stderr
    facts = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line.strip())
    for package in ("tokenizers", "transformers"):
        place = Path(facts[package].split()[-1])
        assert place.name == package
        assert place != ROOT / package
    assert facts["cards"] == str(ROOT)


def test_pytest_finds_the_real_packages() -> None:
    import tokenizers
    import transformers

    assert tokenizers.Tokenizer is not None
    assert transformers.AutoTokenizer is not None
    assert Path(tokenizers.__file__).parent != ROOT / "tokenizers"


@pytest.mark.parametrize("way", ["cli.py", "module", "motion"])
def test_help_is_there_at_once(way: str) -> None:
    """Half a second of the processor, not of the clock: on a loaded machine a command waits and computes no more."""
    start(way, "--help")  # once to compile
    times = []
    for _ in range(3):
        began = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = start(way, "--help")
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime)
        assert done.returncode == 0
        assert "generate" in done.stdout
    assert min(times) < 0.5, times


def test_a_motion_from_words_loads_no_compiler_and_no_algebra(tmp_path: Path) -> None:
    """What takes a second to import and is not used: torch's compiler, sympy, diffusers, transformers."""
    script = (
        "import sys; from motion_platform.cli.app import main\n"
        f"sys.argv = ['motion', 'generate', 'text_to_motion', '-t', 'walk', '-o', {str(tmp_path / 'a.html')!r}]\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print(*sorted({'torch._dynamo', 'sympy', 'einx', 'diffusers', 'transformers'} & set(sys.modules)))"
    )
    made = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert made.stdout.splitlines()[-1] == "", made.stdout
