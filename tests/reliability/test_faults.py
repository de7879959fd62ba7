"""Faults that were found by attacking the program, each by what makes it; more of them are tested beside their modules
(docs/reliability.md has the table)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch

from motion_platform.core import config, opening, registry
from motion_platform.core.errors import (
    ConfigError,
    DataError,
    MotionPlatformError,
    OutputError,
    UsageError,
    WeightsError,
)
from motion_platform.core.files import atomic_path
from motion_platform.encoders.sentence import Stack, check_modules
from motion_platform.motion import io as motion
from motion_platform.motion.io import arrays
from motion_platform.training import train


def bvh(joints: int, frames: int, channels: int = 1) -> str:
    names = "Xrotation Yrotation Zrotation"
    own = f"CHANNELS {channels} {' '.join(names.split()[:channels])}"
    head = "HIERARCHY\nROOT r\n{\nOFFSET 0 0 0\n" + own + "\n"
    chain = "".join(f"JOINT j{k}\n{{\nOFFSET 0 0.1 0\nCHANNELS 0\n" for k in range(joints - 1))
    rows = ("0 " * channels).strip() + "\n"
    return head + chain + "}\n" * joints + f"MOTION\nFrames: {frames}\nFrame Time: 0.05\n" + rows * frames


# ---------------------------------------------------------------- memory: budgets on what is allocated


@pytest.mark.parametrize(("joints", "frames"), [(900, 10_000), (22, 200_000)])
def test_a_small_bvh_does_not_fill_the_memory(tmp_path: Path, joints: int, frames: int) -> None:
    path = tmp_path / "bomb.bvh"
    path.write_text(bvh(joints, frames))
    assert path.stat().st_size < 1e6
    with pytest.raises(DataError, match=r"frames of \d+ joints would take .* MB, out of a file of"):
        motion.load_all(path)


def test_a_small_amc_does_not_fill_the_memory(tmp_path: Path) -> None:
    bones = "".join(
        f"begin\nid {k}\nname b{k}\ndirection 0 1 0\nlength 0.1\naxis 0 0 0 XYZ\nend\n" for k in range(1, 900)
    )
    tree = "begin\nroot b1\n" + "".join(f"b{k} b{k + 1}\n" for k in range(1, 899)) + "end\n"
    (tmp_path / "b.asf").write_text(
        ":version 1.10\n:name x\n:units\nmass 1.0\nlength 0.45\nangle deg\n:root\norder TX TY TZ RX RY RZ\naxis XYZ\n"
        f"position 0 0 0\norientation 0 0 0\n:bonedata\n{bones}:hierarchy\n{tree}"
    )
    frames = "".join(f"{k}\nroot 0 0 0 0 0 0\n" for k in range(1, 10_001))
    (tmp_path / "b.amc").write_text(":FULLY-SPECIFIED\n:DEGREES\n" + frames)
    with pytest.raises(DataError, match="frames of 900 bones would take"):
        motion.load_all(tmp_path / "b.amc")


def test_a_file_of_holes_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "sparse.npy"
    np.lib.format.open_memmap(path, "w+", np.uint8, (1_000_000, 22, 3)).flush()
    assert path.stat().st_blocks * 512 < 1e6
    with pytest.raises(DataError, match=r"an array \(1000000, 22, 3\) would take 528 MB"):
        motion.load_all(path)


def test_an_archive_is_unpacked_only_as_far_as_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    sample = np.zeros((3, 22, 3), np.float32)
    np.savez_compressed(path, joints=sample)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("unused.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": (200_000_000,)})
        for _ in range(200):
            member.write(bytes(1_000_000))
    assert path.stat().st_size < 1e6
    assert list(arrays.load_arrays(path, {"joints"})) == ["joints"]
    with pytest.raises(DataError, match="what it unpacks to would take"):
        arrays.load_arrays(path)
    with pytest.raises(DataError, match="what it unpacks to would take"):
        arrays.load_arrays(path, {"unused"})


@pytest.mark.slow
def test_no_input_of_a_megabyte_takes_a_gigabyte(tmp_path: Path) -> None:
    """The largest that the budgets let pass, each read by a process of its own."""
    (tmp_path / "a.bvh").write_text(bvh(22, 46_000, 3)[:1_000_000].rsplit("\n", 1)[0] + "\n")
    flat = np.zeros((60_000, 22, 3), np.uint8)
    np.savez_compressed(tmp_path / "b.npz", poses=np.zeros((100_000, 66), np.uint8), trans=np.zeros((100_000, 3)),
                        mocap_framerate=60.0)  # fmt: skip
    np.save(tmp_path / "c.npy", flat[:15_000])
    (tmp_path / "d.csv").write_text("caption,low\n" + "a,b\n" * 200_000)
    (tmp_path / "e.yaml").write_text("a: [" + "1," * 40_000 + "1]")
    code = (
        "import resource, sys, pathlib\n"
        "from motion_platform.core import opening\nfrom motion_platform.core.errors import MotionPlatformError\n"
        "from motion_platform.motion import io\nfrom motion_platform.core import config\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "readers = {'.csv': lambda p: opening.read_table(p, ()), '.yaml': config.read_yaml}\n"
        "read = readers.get(path.suffix, io.load_all)\n"
        "try: read(path)\nexcept MotionPlatformError: pass\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    for path in sorted(tmp_path.iterdir()):
        assert path.stat().st_size <= 1_100_000 or path.suffix == ".npz"
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        assert int(done.stdout) < 1000, f"{path.name} takes {done.stdout.strip()} MB"


# ---------------------------------------------------------------- nothing that a file says is run, or unfolds for hours


@pytest.mark.parametrize("kind", ["evil_module.Thing", "sentence_transformers_evil.X", None, 3])
def test_a_folder_of_a_stranger_runs_no_code_whatever_the_version(tmp_path: Path, kind: object, monkeypatch) -> None:
    (tmp_path / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": kind}]))
    (tmp_path / "evil_module.py").write_text(f"open({str(tmp_path / 'PWNED')!r}, 'w')\nclass Thing: pass\n")
    import sentence_transformers

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", lambda *a, **k: pytest.fail("was asked"))
    with pytest.raises(WeightsError, match=r"modules\.json: names the module"):
        Stack(tmp_path, None)
    assert not (tmp_path / "PWNED").exists()


def test_code_that_a_configuration_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "evil.Model"}}))
    with pytest.raises(WeightsError, match="auto_map names Python code"):
        check_modules(tmp_path)


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + k)}: &{chr(98 + k)} [{', '.join([f'*{chr(97 + k)}'] * 9)}]\n" for k in range(9)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "unfolds to more than 100000 values"),
        ("a: &a [*a]", "a table that holds itself"),
        ("a: " + "[" * 100 + "]" * 100, "unfolds to more than 60 levels"),
        ("a: " + "[" * 20_000, "cannot be read as YAML"),
        ("a: !!python/object/apply:os.getcwd []", "is not allowed; write the plain value"),
        ("a: !mine 3", "is not allowed"),
        ("a: " + "9" * 5000, "cannot be read|is not a readable"),
        ('a: "\\0"', "control character|which no text does|cannot be read"),
    ],
)
def test_yaml_that_unfolds_or_names_code_is_refused_by_us(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        config.read_yaml(path)
    assert len(str(caught.value)) < 500
    if "999" not in text:
        with pytest.raises(DataError, match=message):
            opening.read_yaml(path)


def test_an_alias_that_is_honest_is_read(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text("a: &a {b: 1}\nc: *a\n")
    assert config.read_yaml(tmp_path / "card.yaml") == {"a": {"b": 1}, "c": {"b": 1}}
    assert opening.read_yaml(tmp_path / "card.yaml") == {"a": {"b": 1}, "c": {"b": 1}}


# ---------------------------------------------------------------- text of every format by one opener


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xfea", "cannot be read as UTF-8"),
        (b"caf\xe9", r"cannot be read as UTF-8 text \(byte 3"),
        (b"one\ntw\x00o", r"line 2: holds the control character '\\x00'"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=message):
        opening.read_text(path, UsageError)


def test_text_of_windows_is_read(tmp_path: Path) -> None:
    for how in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "t.txt").write_bytes("é\r\nb".encode(how))
        assert opening.read_text(tmp_path / "t.txt") == "é\r\nb"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a": NaN}',
        '{"a": Infinity}',
        '"\\ud800"',
        '["\\u0000"]',
        "{",
        "",
        "9" * 5000,
        "[" * 70 + "]" * 70,
    ],
)
def test_json_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=r"a\.json: "):
        opening.read_json(tmp_path / "a.json")


def test_a_table_with_a_field_that_never_ends_or_a_short_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,file\n" + "a" * 200_000 + ",b\n")
    with pytest.raises(DataError, match="is no table: field larger"):
        opening.read_table(tmp_path / "t.csv", ("id", "file"))
    (tmp_path / "t.csv").write_text("id,file\na\n\nb,c\n")
    assert opening.read_table(tmp_path / "t.csv", ("id",)) == [
        (2, {"id": "a", "file": ""}),
        (4, {"id": "b", "file": "c"}),
    ]
    (tmp_path / "t.csv").write_text("id,file\na,b,c\n")
    with pytest.raises(DataError, match="row 2: has more fields than the header"):
        opening.read_table(tmp_path / "t.csv", ("id",))


# ---------------------------------------------------------------- the rest


def test_a_wrong_word_in_a_table_of_a_card_is_explained() -> None:
    from motion_platform.core.tasks import Task

    card = {
        "task": "t",
        "title": "T",
        "source": "s",
        "reads": {"text_high": "txt"},
        "writes": "motion",
        "data": "sample",
    }
    with pytest.raises(ConfigError, match=r"reads\.text_high: got 'txt'; did you mean 'text'"):
        config.check(Task, card, "card.yaml")


def test_a_clean_up_that_fails_does_not_hide_what_went_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    def write() -> None:
        with atomic_path(tmp_path / "a.npz") as temporary:
            monkeypatch.setattr(Path, "unlink", refuse)
            temporary.write_bytes(b"x")
            raise DataError("what went wrong")

    with pytest.raises(DataError, match="what went wrong"):
        write()


def test_a_plug_in_that_repeats_a_name_harms_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Package:
        name = "other"

    point = EntryPoint("jerk", "elsewhere:Jerk", "motion_platform.metrics")
    object.__setattr__(point, "dist", Package)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group.endswith("metrics") else [])
    registry._plugins.cache_clear()
    try:
        assert registry.get("metrics", "jerk").__module__.startswith("motion_platform.")
        assert registry.table("metrics")["jerk@other"] == ("elsewhere:Jerk", "other")
    finally:
        monkeypatch.undo()
        registry._plugins.cache_clear()


def test_installed_packages_are_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(registry, "entry_points", lambda group: asked.append(group) or [])
    registry._plugins.cache_clear()
    try:
        for _ in range(50):
            registry.table("metrics")
        assert asked == ["motion_platform.metrics"]
    finally:
        monkeypatch.undo()
        registry._plugins.cache_clear()


def test_a_number_that_is_not_finite_anywhere_in_a_state_is_refused() -> None:
    good = {"model": {"a": torch.zeros(2)}, "ema": {"shadow": {"a": torch.zeros(2)}}, "optimiser": {"state": {0: {}}}}
    train.refuse_nan(good, 3)
    for where in ("model", "ema", "optimiser"):
        bad = {**good, where: {"x": [{"y": torch.tensor([1.0, float("nan")])}]}}
        with pytest.raises(MotionPlatformError, match=r"step 3: .* x\.0\.y is not finite; nothing was saved"):
            train.refuse_nan(bad, 3)


def test_a_second_training_in_one_folder_is_refused(recipe, tmp_path: Path) -> None:
    from motion_platform.core.files import lock_folder

    made = recipe("train.steps=1", base="smoke/recogniser")
    code = (
        "import sys, pathlib; from motion_platform.core.files import lock_folder\n"
        "with lock_folder(pathlib.Path(sys.argv[1]), 'trains'): print('in', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, made.output], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "in\n"
        with pytest.raises(UsageError, match="another process trains here"):
            train.run(made, "rec", device="cpu", quiet=True)
    finally:
        other.communicate("")
    with lock_folder(Path(made.output), "trains"):
        assert sorted(os.listdir(made.output)) == [".lock"]


def test_two_preparations_of_one_set_leave_one_whole_set(tmp_path: Path) -> None:
    from motion_platform.data.prepared import PreparedDataset
    from motion_platform.data.writer import PreparedWriter

    def fill(writer: PreparedWriter, clips: int) -> None:
        for k in range(clips):
            x = np.full((5, 67), float(k), np.float32) + np.arange(5)[:, None]
            writer.add(id=str(k), split="train", source="x", features=x)
        writer.finish()

    def both() -> None:
        kind = {"name": "x", "representation": "humanml3d_essential", "licence": "none"}
        with PreparedWriter(tmp_path / "set", **kind) as slow:
            with PreparedWriter(tmp_path / "set", **kind) as fast:
                fill(fast, 3)
            fill(slow, 2)

    with pytest.raises(OutputError, match="was made by another process meanwhile"):
        both()
    assert len(PreparedDataset.open(tmp_path / "set")) == 3
    assert os.listdir(tmp_path) == ["set"]


def test_a_score_that_claims_hours_is_refused(tmp_path: Path) -> None:
    mido = pytest.importorskip("mido")
    from motion_platform.data.scores import score

    def save(tempo: int, count: int, ticks: int = 480, numerator: int = 4, denominator: int = 4) -> Path:
        made = mido.MidiFile(ticks_per_beat=ticks)
        track = mido.MidiTrack()
        made.tracks.append(track)
        track.append(mido.MetaMessage("set_tempo", tempo=tempo))
        track.append(mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator))
        for _ in range(count):
            track.append(mido.Message("note_on", note=60, velocity=64))
            track.append(mido.Message("note_off", note=60, time=ticks))
        made.save(tmp_path / "a.mid")
        return tmp_path / "a.mid"

    assert score.read(save(500_000, 8)).seconds == pytest.approx(4.0)
    with pytest.raises(DataError, match=r"3\.576 quarters a minute at quarter 0; allowed: 5 to 1000"):
        score.read(save(16_777_215, 14_390))
    with pytest.raises(DataError, match=r"lasts 48\.0 hours; at most 4"):
        score.read(save(12_000_000, 14_390))
    with pytest.raises(DataError, match="time signature 4/65536"):
        score.read(save(500_000, 4, denominator=65_536))
    path = save(500_000, 4)
    data = bytearray(path.read_bytes())
    data[12:14] = b"\x00\x00"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.mid: "):
        score.read(path)


def test_sound_far_beyond_full_scale_is_refused(tmp_path: Path) -> None:
    import soundfile

    from motion_platform.audio import reading

    x = np.zeros(8000, np.float32)
    x[4000] = 1e34
    soundfile.write(tmp_path / "a.wav", x, 16_000, subtype="FLOAT")
    with pytest.raises(DataError, match=r"a\.wav: the sample at 0\.250 s is 1e\+34"):
        reading.load(tmp_path / "a.wav")


def test_a_decoder_that_goes_beyond_full_scale_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ffmpeg makes samples of 45,000 from a damaged MP3; only a file of floats may hold what was meant so."""
    import soundfile

    from motion_platform.audio import reading

    with pytest.raises(DataError, match=r"loud\.mp3: .* full scale is 1, and beyond 32 is no sound"):
        reading.load(Path(__file__).parents[1] / "fixtures" / "damaged" / "loud.mp3")
    numbers = 20_000 * np.sin(np.arange(8000, dtype=np.float32) / 20)
    soundfile.write(tmp_path / "numbers.wav", numbers, 16_000, subtype="FLOAT")
    assert np.abs(reading.load(tmp_path / "numbers.wav").samples).max() > 19_000
    monkeypatch.setattr(reading, "_by_ffmpeg", lambda path, seconds: iter([(16_000, numbers[:, None] / 800)]))
    (tmp_path / "a.m4a").write_bytes(b"\0\1\2\3" * 100)
    assert np.abs(reading.load(tmp_path / "a.m4a").samples).max() == pytest.approx(25, rel=0.01)  # an overshoot passes


def test_a_film_goes_into_a_folder_of_any_name(tmp_path: Path, sample_root: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    clip = motion.load(next((sample_root / "bandai-namco").glob("*_walk_normal_*")))
    short = clip.with_(joints=clip.joints[:4], rotations=None)
    for name in ("a:b", "http:", "-d"):
        Path(name).mkdir()
        motion.save(short, Path(name) / "out.mp4")
        assert (Path(name) / "out.mp4").stat().st_size > 500


def test_weights_with_a_nan_are_refused(recipe, tmp_path: Path) -> None:
    import hashlib

    import yaml
    from safetensors.torch import load_file, save_file

    from motion_platform.model.run import load_run
    from motion_platform.training import build

    folder = build.assemble(recipe(base="smoke/recogniser"), name="x").model.save_pretrained(tmp_path / "m")
    tensors = load_file(folder / "model.safetensors")
    for name in ("spec.std", next(n for n in tensors if n.startswith("trainable."))):
        bad = {**tensors, name: torch.full_like(tensors[name], float("nan"))}
        save_file(bad, tmp_path / "bad")  # moved: what was loaded may still be read from the old file's pages
        (tmp_path / "bad").replace(folder / "model.safetensors")
        card = yaml.safe_load((folder / "model.yaml").read_text())
        card["weights"]["sha256"] = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        (folder / "model.yaml").write_text(yaml.safe_dump(card))
        with pytest.raises(WeightsError, match=f"{name} has a NaN"):
            load_run(folder)


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("fps", 1e9, r"fps 1e\+09, dim \d+; allowed: 0 to 240"),
        ("fps", 0, "allowed: 0 to 240"),
        ("fps", 21.0, r"model\.yaml: spec\.fps: got 21\.0; humanml3d_essential has 20\.0"),
        ("skeleton", "coco_upper", r"spec\.skeleton: got 'coco_upper'; humanml3d_essential has 'humanml3d'"),
        ("dim", 999, "dim 999 and statistics"),
        ("layers", 10**6, r"model\.settings\.layers: got 1000000; its weights are not that large"),
        ("width", 10**7, r"model\.settings\.width: got 10000000"),
        ("width", 0, "no model can be built of this|"),
        ("step", -5, "step"),
    ],
)
def test_a_model_card_that_does_not_fit_its_weights_is_refused(recipe, tmp_path: Path, where, value, message) -> None:
    import yaml

    from motion_platform.model.run import load_run
    from motion_platform.training import build

    folder = build.assemble(recipe(base="smoke/recogniser"), name="x").model.save_pretrained(tmp_path / "m")
    card = yaml.safe_load((folder / "model.yaml").read_text())
    place = (
        card["spec"] if where in ("fps", "skeleton", "dim") else card if where == "step" else card["model"]["settings"]
    )
    place[where] = value
    (folder / "model.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(MotionPlatformError, match=message):
        load_run(folder)


def test_a_name_of_a_device_that_computes_nothing_is_refused() -> None:
    from motion_platform.model.run import find_device

    with pytest.raises(UsageError, match="'meta' is not on this machine"):
        find_device("meta")


def test_an_unexpected_error_is_one_short_line() -> None:
    code = (
        "import sys; from motion_platform.cli import app\n"
        "def fail(*a, **k): raise RuntimeError('x' * 20000)\n"
        "app.app = fail; sys.argv = ['motion']; app.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert len(done.stderr) < 1000


def test_a_number_that_overflows_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1e999}')
    with pytest.raises(DataError, match="1e999 is no number"):
        opening.read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text('{"a": 1e300, "b": -2.5}')
    assert opening.read_json(tmp_path / "a.json") == {"a": 1e300, "b": -2.5}
