"""What it costs to add a thing: one file and one line of an entry point, really done in a package outside, and used.

The files are those of the pages docs/add-*.md, as they stand there, and of tests/fixtures/costs. Nothing here edits the
library; every thing goes through train, generate, evaluate by the command line.
"""

from __future__ import annotations

import ast
import csv
import dataclasses
import importlib
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from motion_platform.core import registry
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.writer import PreparedWriter
from motion_platform.generators.diffusion.settings import DiffusionSettings
from motion_platform.motion import io
from motion_platform.motion.representations import get_representation
from motion_platform.motion.retarget import to_humanml3d

sys.path.append(str(Path(__file__).parent))
from documents import ROOT, blocks

FILES = ROOT / "tests" / "fixtures" / "costs"
PAGES = {
    "hashed_words": "add-an-encoder",
    "loudness": "add-an-audio-encoder",
    "caption_table": "add-a-data-set",
    "path_length": "add-a-metric",
    "joint_positions": "add-a-representation",
}
LINES = {
    "encoders": [
        "hashed_words = hashed_words:HashedWords",
        "loudness = loudness:Loudness",
        "first_pose = first_pose:FirstPose",
    ],
    "data": ["caption_table = caption_table:CaptionTable"],
    "metrics": ["path_length = path_length:PathLength"],
    "representations": ["joint_positions = joint_positions:JointPositions"],
    "generators": ["frame_network = frame_network:FrameNetwork"],
    "motion_tokens": ["rounded = rounded:Rounded"],
    "spaces": ["mean_pose_space = mean_pose_space:MeanPoseSpace"],
    "readers": ["xyz = xyz_file:read"],
    "writers": ["xyz = xyz_file:write"],
}
"""Group of entry points -> the lines of the package."""
CARD = """
task: told_and_shown
title: A sentence, an action and a first pose
source: nowhere
reads: {sentence: text, action: {kind: label, column: content}, start: motion}
optional: [action]
writes: motion
data: caption_table
metrics: [{name: path_length}, {name: foot_skating}]
"""
RECIPE = """
task: CARD
representation: joint_positions
data: {name: caption_table, folder: DATA, max_frames: 40}
slots:
  sentence: {encoder: hashed_words, settings: {dim: 8}}
  action: {encoder: label, settings: {labels: [walk, wave]}}
  start: {encoder: first_pose}
model: {name: frame_network, settings: {width: 8, diffusion: {sample_steps: 2, max_frames: 40}}}
train: {steps: 3, batch_size: 4, ema_decay: 0, log_every: 1}
output: RUN
"""


@pytest.fixture(scope="module", autouse=True)
def package(tmp_path_factory: pytest.TempPathFactory):
    """A package of somebody else's, as pip would have installed it: its files, and its entry points."""
    folder = tmp_path_factory.mktemp("site")
    for name, page in PAGES.items():
        (code,) = blocks(ROOT / "docs" / f"{page}.md", "python")
        (folder / f"{name}.py").write_text(code + "\n")
    for path in FILES.glob("*.py"):
        (folder / path.name).write_text(path.read_text())
    info = folder / "somebodys_motion-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys-motion\nVersion: 0.1.0\n")
    groups = [f"[motion_platform.{group}]\n" + "\n".join(lines) for group, lines in LINES.items()]
    (info / "entry_points.txt").write_text("\n\n".join(groups) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("MOTION_CACHE", str(tmp_path_factory.mktemp("cache")))
        importlib.invalidate_caches()
        get_representation.cache_clear()
        yield folder
    get_representation.cache_clear()
    for path in folder.glob("*.py"):
        sys.modules.pop(path.stem, None)


@pytest.fixture(scope="module")
def motion():
    """Run a command; what it prints. It must succeed."""
    from typer.testing import CliRunner

    from motion_platform.cli.app import app

    def run(*words: object) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return run


@pytest.fixture(scope="module")
def originals(package: Path, sample_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten clips in the package's file format, and the table that its data set reads."""
    folder = tmp_path_factory.mktemp("originals")
    captured = sorted((sample_root / "bandai-namco").glob("*.bvh"))[:10]
    with (folder / "clips.csv").open("w", newline="") as table:
        lines = csv.writer(table)
        lines.writerow(["file", "caption", "action"])
        for number, path in enumerate(captured):
            action = ("walk", "wave")[number % 2]
            clip = to_humanml3d(io.load(path), fps=20.0)
            io.save(clip.with_(joints=clip.joints[:40]), folder / f"{number}.xyz")
            lines.writerow([f"{number}.xyz", f"a person {action}s", action])
    return folder


@pytest.fixture(scope="module")
def data(motion, originals: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "caption_table"
    assert "clips" in motion("data", "prepare", "caption_table", "--source", originals, "--out", out)
    return out


def test_every_thing_is_a_file_and_a_line(package: Path) -> None:
    lines = [line for group in LINES.values() for line in group]
    files = {line.split(" = ")[1].split(":")[0] for line in lines}
    assert {path.stem for path in package.glob("*.py")} == files
    assert len(lines) == len(files) + 1  # the file format is a reader and a writer in one file
    for group in LINES.keys() - {"readers", "writers"}:
        for line in LINES[group]:
            name = line.split(" = ")[0]
            assert registry.table(group)[name][1] == "somebodys-motion"
            assert issubclass(registry.get(group, name), registry.base_of(group))


def test_the_generator_repeats_no_setting_of_its_base() -> None:
    shared = {field.name for field in dataclasses.fields(DiffusionSettings)}
    tree = ast.parse((FILES / "frame_network.py").read_text())
    said = {node.arg for node in ast.walk(tree) if isinstance(node, (ast.arg, ast.keyword))}
    said |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} - {"schedule"}  # its steps
    assert not said & shared
    assert len((FILES / "frame_network.py").read_text().splitlines()) < 60


def test_data_encoders_representation_generator_metric_format_and_task(
    motion, data: Path, originals: Path, tmp_path: Path
) -> None:
    stored = PreparedDataset.open(data)
    assert (len(stored), stored.representation) == (20, "humanml3d")  # mirrored copies, too
    (tmp_path / "told_and_shown.yaml").write_text(CARD)
    recipe = RECIPE.replace("CARD", str(tmp_path / "told_and_shown.yaml")).replace("DATA", str(data))
    (tmp_path / "recipe.yaml").write_text(recipe.replace("RUN", str(tmp_path / "run")))
    motion("train", tmp_path / "recipe.yaml", "--device", "cpu")
    card = yaml.safe_load((tmp_path / "run" / "model.yaml").read_text())
    assert (card["spec"]["representation"], card["spec"]["dim"]) == ("joint_positions", 66)
    assert card["model"]["settings"] == {"width": 8, "diffusion": {"sample_steps": 2, "max_frames": 40}}

    given = ["--give", "sentence=a person waves", "--give", "action=wave", "--give", f"start={originals / '1.xyz'}"]
    for out in ("a.xyz", "b.xyz"):
        asked = ["--model", tmp_path / "run", *given, "--seconds", 1, "-o", tmp_path / out]
        motion("generate", tmp_path / "told_and_shown.yaml", *asked)
    made = io.load(tmp_path / "a.xyz")
    assert made.joints.shape == (20, 22, 3)
    assert (tmp_path / "a.xyz").read_bytes() == (tmp_path / "b.xyz").read_bytes()

    options = ["--split", "train", "--samples", 4, "--repeats", 1, "--processes", 1, "--no-bounds"]
    table = motion("evaluate", tmp_path / "run", *options)
    assert "path_length" in table
    assert "real motion" in table


def test_tokenizer_and_space(motion, data: Path, tmp_path: Path) -> None:
    train = [f"data.folder={data}", "data.name=caption_table", "train.steps=2", "representation=joint_positions"]
    train += ["validation.every=0", "model.settings={}", "--device", "cpu"]
    motion("train", "smoke/vqvae", "model.name=rounded", f"output={tmp_path / 'tokens'}", *train)
    motion("train", "smoke/vqvae", "model.kind=spaces", "model.name=mean_pose_space",
           f"output={tmp_path / 'space'}", *train)  # fmt: skip
    options = ["--split", "train", "--samples", 6, "--repeats", 1, "--processes", 1, "--no-bounds"]
    metrics = ["--metrics", f"mpjpe,frechet={tmp_path / 'space'}"]
    table = motion("evaluate", tmp_path / "tokens", *options, *metrics)
    assert "mpjpe" in table
    assert "frechet" in table


@pytest.mark.slow  # librosa compiles itself to find the beats of the sound
def test_audio_encoder(motion, tmp_path: Path) -> None:
    streams = {"samples": (900.0, 1)}
    out = tmp_path / "takes"
    with PreparedWriter(
        out, name="conductor_scores", representation="conductor", licence="none", streams=streams
    ) as writer:
        for number in range(4):
            random = np.random.default_rng(number)
            pose = random.normal(0.5, 0.01, (60, 26)).astype(np.float32)
            sound = {"samples": random.normal(0, 0.1, (1800, 1)).astype(np.float32)}
            split = "test" if number == 3 else "train"
            writer.add(id=f"take {number}", split=split, source="", features=pose, streams=sound)
        writer.finish()
    (tmp_path / "heard.yaml").write_text(
        "task: heard\ntitle: Sound\nsource: nowhere\nreads: {speech: audio}\nwrites: motion\ndata: conductor_scores\n"
        "metrics: [{name: jerk}]\n"
    )
    recipe = yaml.safe_load(RECIPE)
    recipe |= {"task": str(tmp_path / "heard.yaml"), "representation": "conductor", "output": str(tmp_path / "run")}
    recipe |= {"slots": {"speech": {"encoder": "loudness"}}}
    recipe |= {"data": {"name": "conductor_scores", "folder": str(out), "max_frames": 40, "mirror": False}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    motion("train", tmp_path / "recipe.yaml", "--device", "cpu")
    with wave.open(str(tmp_path / "said.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes((np.sin(np.arange(16000) / 9) * 9000).astype("<i2").tobytes())
    made = ["--model", tmp_path / "run", "--give", f"speech={tmp_path / 'said.wav'}", "-o", tmp_path / "a.npz"]
    motion("generate", tmp_path / "heard.yaml", *made)
    assert len(io.load(tmp_path / "a.npz").joints) == 30  # as long as the sound: a second
    options = ["--repeats", 1, "--processes", 1, "--no-bounds"]
    assert "jerk" in motion("evaluate", tmp_path / "run", *options)


# ------------------------------------------------------------------------- what the pages promise of their own examples


def test_the_representation_of_the_page_is_inverse_to_itself_and_owns_all_columns() -> None:
    chosen = get_representation("joint_positions")
    joints = np.random.default_rng(0).normal(size=(12, 22, 3)).astype(np.float32)
    np.testing.assert_array_equal(chosen.to_joints(chosen.encode(joints)), joints)
    assert chosen.columns(range(22)).tolist() == list(range(66))
    moved = joints.copy()
    moved[:, chosen.skeleton.index("left_wrist")] += 1.0
    differ = (chosen.encode(moved) != chosen.encode(joints)).any(0).nonzero()[0]
    assert differ.tolist() == chosen.columns([chosen.skeleton.index("left_wrist")]).tolist()
    still = np.repeat(joints[:1], 5, 0)
    assert chosen.contacts(still).tolist() == [[1.0] * 4] * 4
    assert chosen.contacts(np.cumsum(np.ones_like(still), 0)).sum() == 0


def test_the_metric_of_the_page_sees_wrong_ways_and_no_wrong_tempo() -> None:
    from motion_platform.core.schema import Batch, Motion, MotionSpec

    spec = MotionSpec("joint_positions", "humanml3d", 20.0, torch.zeros(66), torch.ones(66))
    metric = registry.build("metrics", "path_length")

    def length(z: np.ndarray) -> float:
        joints = np.zeros((len(z), 22, 3), np.float32)
        joints[..., 2] = z[:, None]
        lengths = torch.tensor([len(z)])
        motion = Motion(torch.from_numpy(joints.reshape(1, -1, 66)), lengths, spec)
        return metric.state(motion, Batch(["a"], {}, lengths, motion)).compute()["path_length"]

    walk = np.linspace(0, 3, 61)
    assert length(walk) == pytest.approx(3.0, abs=1e-5)
    assert length(np.zeros(61)) == 0.0  # stands
    assert length(2 * walk) == pytest.approx(6.0, abs=1e-5)  # twice as far
    assert length(walk + 0.05 * (-1.0) ** np.arange(61)) > 5.9  # trembles
    assert length(np.linspace(0, 3, 31)) == pytest.approx(3.0, abs=1e-5)  # in half of the time: as far


def test_the_lines_of_the_pages_are_those_of_the_package_and_of_the_catalog() -> None:
    for name, page in PAGES.items():
        path = ROOT / "docs" / f"{page}.md"
        (entries,) = [text for text in blocks(path, "toml") if "entry-points" in text]
        group = entries.split("motion_platform.")[1].split('"')[0]
        (line,) = [line for line in entries.splitlines() if line.startswith(f"{name} = ")]
        assert line.replace('"', "") in LINES[group]
        if page in ("add-a-data-set", "add-a-metric", "add-a-representation"):
            (own,) = blocks(path, "text")
            ((key, target),) = ast.literal_eval("{" + own + "}").items()
            assert key == name
            assert target.rpartition(".")[2] == line.replace('"', "").rpartition(".")[2].partition(" = ")[2]


def test_what_is_wrong_with_a_table_is_said(originals: Path, tmp_path: Path) -> None:
    from motion_platform.core.errors import DataError
    from motion_platform.data.report import Report

    source = registry.build("data", "caption_table")
    with pytest.raises(DataError, match=r"has no clips\.csv; it needs one with file, caption, action"):
        source.items(tmp_path, Report("caption_table"))
    (tmp_path / "clips.csv").write_text("file,caption,action\ngone.bvh,a person walks,walk\n")
    report = Report("caption_table")
    assert source.items(tmp_path, report) == []
    assert report.to_dict()["dropped"][0]["what"] == "gone.bvh"
    items = source.items(originals, Report("caption_table"))
    assert len({item.id for item in items}) == 10
    assert {item.split for item in items} == {"train", "test"}
