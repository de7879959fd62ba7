"""What the commands made before must be what they make now: joints, captions and lengths of a fixed list of commands.

The joints lie in tests/fixtures/stored/results.npz, every eighth frame of six joints, rounded to 0.1 mm. To store them
anew (only where a change of the result is meant, said in CHANGELOG.md): ``python tests/test_stored_results.py``, with
the names of those to store anew, or all of them. What a language model draws is compared where the processor rounds as
that one did which stored it (``kernels``): elsewhere a token whose probability is a hair larger or smaller is another
token, and everything after it is another motion.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
STORED = Path(__file__).parent / "fixtures" / "stored" / "results.npz"
WORDS = STORED.with_suffix(".json")
SAMPLE = ROOT / "motion_platform" / "sample"
WALK = SAMPLE / "bandai-namco" / "dataset-1_walk_normal_001.bvh"
WAVE = SAMPLE / "bandai-namco" / "dataset-2_wave-right-hand_normal_015.bvh"
TURN = SAMPLE / "bandai-namco" / "dataset-2_walk-turn-left_normal_001.bvh"
MUSIC = SAMPLE / "music" / "mozart_k130_andantino.ogg"
DIFFUSION = "text_to_motion_small"
LM = "motion_lm_small"
D, L, C = f"--model {DIFFUSION}", f"--model {LM}", "--model conductor_small"
FRAMES, JOINTS = 8, 6

MOTIONS: dict[str, str] = {
    "one text": f"generate text_to_motion {D} --text|a person walks forward|--seed 7",
    "several texts and samples": f"generate text_to_motion {D} -t|a tired person walks|-t|somebody runs|"
    "--samples 2 --seed 3 --plan none",
    "bare verbs": "generate text_to_motion -t|a person walks|-t|he sprints|--seed 3",
    "low text": f"generate text_to_motion {D} -t|a person walks happily|--low-text walk --seconds 3",
    "guidance": f"generate text_to_motion {D} -t|an old man waves his right hand|--seconds 2 --guidance 3 --seed 11",
    "a weight a slot": f"generate text_to_motion {D} -t|a person kicks|--low-text kick --seconds 2 "
    "--guidance text_high=4 --guidance text_low=0.5",
    "ddim": f"generate text_to_motion {D} -t|a person bows|--seconds 2 --sampler ddim --steps 5",
    "unipc": f"generate text_to_motion {D} -t|a person bows|--seconds 2 --sampler unipc --steps 6",
    "longer than a window": f"generate text_to_motion {D} -t|somebody runs|--seconds 14 --steps 6",
    "no text": f"generate random_motion {D} --seconds 2 --seed 2",
    "prefix": f"edit {WALK} {D} --keep prefix --seconds 4 --text|a person waves the left hand|--seed 5",
    "in between": f"edit {WALK} {D} --keep in_between --keep-seconds 0.5",
    "upper body": f"edit {WALK} {D} --keep upper_body --text|a person runs",
    "lower body": f"edit {WAVE} {D} --keep lower_body --text|a person raises both hands",
    "key frames": f"edit {TURN} {D} --keep keyframes --frames 0,20,40",
    "prediction": f"generate motion_prediction {D} --motion {WALK}",
    "key poses with a text": f"generate keyframes_to_motion {D} --motion {TURN} -t|a person turns left",
    "language model": f"generate text_to_motion {L} -t|a person walks forward|--seed 7",
    "language model, a length": f"generate text_to_motion {L} -t|a person waves|--seconds 2 --seed 1",
    "language model, prediction": f"generate motion_prediction {L} --motion {WALK} --seed 4",
    "conductor": f"generate music_to_conductor {C} --music {MUSIC} --seconds 6 --style grand --seed 3",
    "conductor, two samples": f"generate music_to_conductor {C} --music {MUSIC} --seconds 4 "
    "--style precise --samples 2 --amplitude 1.3",
    "pattern": f"generate music_to_conductor {C} --music {MUSIC} --seconds 3 --guidance 2 --steps 4",
    "retarget": f"convert {WALK}|OUT|--retarget",
    "retarget a trial of CMU": f"convert {SAMPLE / 'cmu' / '02_03.bvh'}|OUT|--retarget",
    "convert": f"convert {SAMPLE / 'cmu' / '39_03.amc'}|OUT|--fps 120",
}
SAID: dict[str, str] = {
    "caption": f"caption {WAVE} {L} --seed 1",
    "captions": f"caption {WALK} {L} --samples 2",
    "length": f"length {D} -t|a person walks|-t|a person bows",
    "length by the language model": f"length {L} -t|a person waves",
}


def arguments(line: str, out: Path | None) -> list[str]:
    """Words at blanks; what stands between bars is one argument."""
    parts = line.split("|")
    words: list[str] = []
    for k, part in enumerate(parts):
        text = k > 0 and (parts[k - 1].endswith(("-t", "--text")))
        words += [part] if text else part.split()
    if out is None:
        return words
    return [str(out) if word == "OUT" else word for word in words] + ([] if "OUT" in words else ["-o", str(out)])


def run(line: str, out: Path | None) -> str:
    """What the command prints; it must succeed. The command is found as the installed one is, by pyproject.toml."""
    from typer.testing import CliRunner

    entry = re.search(r'^motion = "([\w.]+):main"', (ROOT / "pyproject.toml").read_text(), re.M)
    app = importlib.import_module(entry.group(1)).app
    done = CliRunner().invoke(app, arguments(line, out), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def kernels() -> str:
    """Changes with how this processor rounds a product of float32 matrices in a network's shapes."""
    random = np.random.default_rng(0)
    a, b = (torch.from_numpy(random.normal(size=size).astype(np.float32)) for size in ((7, 576), (576, 1536)))
    return hashlib.sha256(torch.softmax(a @ b, -1).numpy().tobytes()).hexdigest()[:16]


def needs(line: str) -> None:
    """Skip where the command reads a language model that is not on this machine (`motion weights get` brings it), or
    one that would draw other tokens here."""
    from motion_platform.core import weight_files
    from motion_platform.core.errors import WeightsError

    if LM in line:
        try:
            weight_files.find("smollm2-135m")
        except WeightsError:
            pytest.skip("smollm2-135m is not on this machine")
        if json.loads(WORDS.read_text())["kernels"] != kernels():
            pytest.skip("this processor rounds otherwise: a language model draws other tokens")


def joints_of(path: Path) -> np.ndarray:
    """(clips, 1 + ...) every eighth frame of some joints of every clip, one after the other."""
    io = importlib.import_module("motion_platform.motion.io")
    parts = []
    for clip in io.load_all(path):
        chosen = np.linspace(0, clip.joints.shape[1] - 1, JOINTS).astype(int)
        parts.append(clip.joints[::FRAMES, chosen].reshape(-1, JOINTS * 3))
    return np.concatenate(parts).round(4).astype(np.float32)


@pytest.mark.parametrize("name", MOTIONS)
def test_a_motion_is_what_it_was(name: str, tmp_path: Path) -> None:
    needs(MOTIONS[name])
    run(MOTIONS[name], tmp_path / "out.npz")
    found = joints_of(tmp_path / "out.npz")
    with np.load(STORED) as stored:
        expected = stored[name]
    assert found.shape == expected.shape
    apart = np.abs(found - expected)
    # Another processor's kernels round otherwise: a sampled motion may differ by millimetres, a converted one may not.
    mean, most = (2e-4, 2e-4) if MOTIONS[name].startswith("convert") else (2e-3, 2e-2)
    assert apart.mean() < mean
    assert apart.max() < most


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_is_what_it_was(name: str) -> None:
    needs(SAID[name])
    assert run(SAID[name], None).split("\n") == json.loads(WORDS.read_text())[name]


def test_the_list_is_long_enough_and_its_ruler_sees_a_difference() -> None:
    assert len(MOTIONS) >= 20
    with np.load(STORED) as stored:
        assert sorted(stored.files) == sorted(MOTIONS)
        assert np.abs(stored["ddim"] - stored["unipc"]).max() > 2e-2


def store(names: Sequence[str]) -> None:
    """Store the results of these commands anew; the others stay."""
    with np.load(STORED) as stored:
        motions = {name: stored[name] for name in MOTIONS if name in stored.files}
    said = json.loads(WORDS.read_text())
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            if name in SAID:
                said[name] = run(SAID[name], None).split("\n")
                continue
            run(MOTIONS[name], Path(folder) / "out.npz")
            motions[name] = joints_of(Path(folder) / "out.npz")
            (Path(folder) / "out.npz").unlink()
            print(name, motions[name].shape)
    if {name for name in (*MOTIONS, *SAID) if LM in (MOTIONS | SAID)[name]} <= set(names):
        said["kernels"] = kernels()
    np.savez_compressed(STORED, **motions)
    WORDS.write_text(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    store(sys.argv[1:] or [*MOTIONS, *SAID])
