"""What is fuzzed: every kind of file that a command reads, how it is read, and which content must not pass.

``seeds`` makes good files in a folder (each must be read without an error; the fuzzer begins with that). ``load`` is
what the command calls. ``wrong`` says what is silent garbage for this kind: what was accepted and cannot be meant.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import reliability_mutators as mutate  # type: ignore[import-not-found]

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "motion_platform" / "sample"
MIDI = [
    ROOT.parent / "shared/data/midi/bach_brandenburg5_3-allegro.mid",
    Path("/work/shared/data/midi/bach_brandenburg5_3-allegro.mid"),
]


@dataclasses.dataclass
class Target:
    """group: the row of the table. seeds: makes files, returns those that are damaged. share: of all inputs."""

    name: str
    group: str
    seeds: Callable[[Path], list[Path]]
    load: Callable[[Path], Any]
    how: Sequence[Callable[..., bytes]]
    wrong: Callable[[Any], str | None] = lambda _: None
    share: float = 1.0


# ---------------------------------------------------------------- good files


def clip(frames: int = 12) -> Any:
    from motion_platform.motion import io

    whole = io.load(next((SAMPLE / "bandai-namco").glob("*_walk_normal_*")))
    rotations = None if whole.rotations is None else whole.rotations[:frames]
    return whole.with_(joints=whole.joints[:frames], rotations=rotations, info={}, captions=("a person walks",))


def bvh(place: Path) -> list[Path]:
    from motion_platform.motion.io import write_bvh

    write_bvh.write(clip(), place / "walk.bvh")
    return [place / "walk.bvh"]


def amc(place: Path) -> list[Path]:
    text = (SAMPLE / "cmu" / "39_03.amc").read_text().split("\n4\n")[0] + "\n"
    (place / "39_03.amc").write_text(text)
    shutil.copy(SAMPLE / "cmu" / "39.asf", place / "39.asf")
    return [place / "39_03.amc"]


def asf(place: Path) -> list[Path]:
    amc(place)
    return [place / "39.asf"]


def ours(place: Path) -> list[Path]:
    from motion_platform.motion.io import npz

    npz.write([clip(), clip(5)], place / "walk.npz")
    return [place / "walk.npz"]


def amass(place: Path) -> list[Path]:
    made = np.random.default_rng(0)
    np.savez(
        place / "a.npz", poses=made.normal(size=(9, 156)) * 0.1, trans=made.normal(size=(9, 3)), mocap_framerate=60.0
    )
    return [place / "a.npz"]


def npy(place: Path) -> list[Path]:
    from motion_platform.motion.retarget import to_humanml3d

    np.save(place / "joints.npy", to_humanml3d(clip()).joints)
    np.save(place / "features.npy", np.random.default_rng(0).normal(size=(9, 263)).astype(np.float32) * 0.1)
    return [place / "joints.npy", place / "features.npy"]


def glb(place: Path) -> list[Path]:
    from motion_platform.motion.io import glb as writer

    writer.write(clip(), place / "walk.glb")
    return [place / "walk.glb"]


def captions(kind: str) -> Callable[[Path], list[Path]]:
    def make(place: Path) -> list[Path]:
        for name in ("walk", "jog"):
            (place / f"{name}.bvh").write_text("HIERARCHY")
        (place / "captions.csv").write_text(
            "file,caption,low,content,style,split,group,start,end\n"
            'walk.bvh,"a person walks, calmly",walk,walk,normal,train,anna,,\n'
            "walk.bvh,someone strolls,,,,,anna,5,35\njog.bvh,a person jogs,run,run,normal,val,ben,5,35\n"
        )
        about = {
            "walk": ["a person walks"],
            "jog.bvh": {"captions": ["c"], "low": "wave", "split": "val", "start": 3, "end": 9},
        }
        (place / "captions.json").write_text(json.dumps(about))
        (place / "walk.txt").write_text("a person walks\nsomebody strolls # slowly\n")
        for other in {"captions.csv", "captions.json", "walk.txt"} - {kind}:
            (place / other).unlink()
        return [place / kind]

    return make


def read_captions(path: Path) -> Any:
    from motion_platform.data.report import Report
    from motion_platform.data.sources.bvh_folder import BVHFolder

    return BVHFolder().items(path.parent, Report("x"))


def wrong_items(items: Any) -> str | None:
    from motion_platform.data.prepared import SPLITS

    for item in items:
        said = (*item.words.high, *item.words.low)
        if item.split not in SPLITS or not all(isinstance(text, str) and text.strip() for text in said):
            return f"{item.split!r} {said!r:.60}"
        if any(bad_text(text) for text in said):
            return f"a caption {said!r:.60}"
        if not (item.start >= 0 and (item.end is None or item.end > item.start)):
            return f"frames {item.start} to {item.end}"
    return None


def bad_text(text: str) -> bool:
    """Characters that no text has: NUL and other controls, half a character."""
    return any((ord(c) < 32 and c not in "\t\n\r") or 0xD800 <= ord(c) < 0xE000 for c in text)


def humanml3d(which: str) -> Callable[[Path], list[Path]]:
    def make(place: Path) -> list[Path]:
        (place / "new_joint_vecs").mkdir()
        (place / "texts").mkdir()
        for k in range(3):
            x = np.random.default_rng(k).normal(size=(60, 263)).astype(np.float32) * 0.1
            np.save(place / "new_joint_vecs" / f"00000{k}.npy", x)
            (place / "texts" / f"00000{k}.txt").write_text(
                "a man walks.#a/DET man/NOUN walk/VERB#0.0#0.0\nhe turns#x#0.5#2.9\n"
            )
        (place / "train.txt").write_text("000000\n000001\n")
        (place / "val.txt").write_text("000002\n")
        (place / "test.txt").write_text("")
        return [place / {"list": "train.txt", "texts": "texts/000000.txt", "npy": "new_joint_vecs/000000.npy"}[which]]

    return make


def read_humanml3d(path: Path) -> Any:
    from motion_platform.data.report import Report
    from motion_platform.data.sources.humanml3d import HumanML3DFolder

    source = HumanML3DFolder()
    root = path.parent if path.name == "train.txt" else path.parents[1]
    return [source.convert(item, False) for item in source.items(root, Report("x"))]


def wrong_rows(converted: Any) -> str | None:
    for each in converted:
        for row in each.rows:
            if not np.isfinite(row.features).all() or np.abs(row.features).max() > 1e4:
                return "features beyond any motion"
            if any(bad_text(text) for text in (*row.words.high, *row.words.low)):
                return f"a caption {row.words.high!r:.60}"
    return None


def result(which: str) -> Callable[[Path], list[Path]]:
    def make(place: Path) -> list[Path]:
        from motion_platform.evaluation import results
        from motion_platform.evaluation.protocol import ResultRow

        value = {
            "metric": "jerk",
            "settings": {},
            "space": None,
            "value": "jerk",
            "n": 2,
            "values": [1.0, 1.1],
            "mean": 1.0,
            "unit": "m/s^3",
            "higher_is_better": False,
        }
        facts = {"name": "toy", "kind": "model", "task": "t", "split": "test", "seed": 0, "data": "x", "spaces": {}}
        facts["metrics"] = {"jerk": value}
        results.save(
            place / "e.json",
            [ResultRow(facts, {"ids": np.array(["a", "b"]), "samples/jerk": np.ones(2)})],
            {"task": "t"},
        )
        return [place / ("e.json" if which == "json" else "e.npz")]

    return make


def read_result(path: Path) -> Any:
    from motion_platform.evaluation import compare

    row = compare.load_row(str(path.with_suffix(".json")))
    return compare.compare(row, row)


def vouched_result(path: Path) -> Any:
    """The same with checksums that somebody has made fit."""
    import hashlib

    from motion_platform.evaluation.provenance import digest

    head = path.with_suffix(".json")
    try:
        whole = json.loads(head.read_text())
        whole.pop("sha256", None)
        whole["arrays_sha256"] = hashlib.sha256(path.with_suffix(".npz").read_bytes()).hexdigest()
        head.write_text(json.dumps({**whole, "sha256": digest(whole)}))
    except Exception:
        pass
    return read_result(path)


def outside(kind: str) -> Callable[[Path], list[Path]]:
    def make(place: Path) -> list[Path]:
        for name in ("a", "b"):
            np.save(place / f"{name}.npy", np.zeros((4, 22, 3)))
        if kind == "csv":
            (place / "index.csv").write_text("id,file\nclip 1,a.npy\nclip 2,b.npy\n")
        else:
            (place / "index.json").write_text(json.dumps({"clip 1": "a.npy", "clip 2": "b.npy"}))
        return [place / f"index.{kind}"]

    return make


def read_outside(path: Path) -> Any:
    from motion_platform.evaluation import outside as module

    return module.find_files(path.parent)


def prepared(which: str) -> Callable[[Path], list[Path]]:
    def make(place: Path) -> list[Path]:
        from motion_platform.data.writer import PreparedWriter

        made = np.random.default_rng(0)
        with PreparedWriter(place / "set", name="toy", representation="humanml3d_essential", licence="none") as writer:
            for i in range(3):
                x = made.normal(size=(9 + i, 67)).astype(np.float32)
                split = ("train", "train", "test")[i]
                writer.add(
                    id=f"clip{i}",
                    split=split,
                    source="x",
                    features=x,
                    captions_high=["a", "b"],
                    labels={"style": "sad"},
                )
            writer.finish({"some": "thing"})
        return [place / "set" / which]

    return make


def read_prepared(path: Path) -> Any:
    from motion_platform.data.prepared import PreparedDataset

    found = PreparedDataset.open(path.parent)
    for i in range(len(found)):
        found.features(i), found.captions(i), found.labels(i), found.source(i), found.split(i)
    return found, found.spec()


def unsummed(path: Path) -> Any:
    """A set of an older version, or one whose checksums somebody left out."""
    meta = path.parent / "meta.json"
    try:
        said = json.loads(meta.read_text())
        said.pop("sha256", None)
        said.pop("files", None)
        meta.write_text(json.dumps(said))
    except Exception:
        pass
    return read_prepared(path)


def changed_set(found: Any) -> str | None:
    """With checksums nothing but the good one passes; where state.json is damaged, its numbers must be right."""
    dataset, spec = found
    made = np.random.default_rng(0)
    for i in range(3):
        x = made.normal(size=(9 + i, 67)).astype(np.float32)
        if i >= len(dataset) or not np.array_equal(dataset.features(i), x) or dataset.captions(i) != (["a", "b"], []):
            return f"clip {i} is another"
    return None if len(dataset) == 3 and np.isfinite(spec.mean.numpy()).all() else "other clips"


def wrong_set(found: Any) -> str | None:
    _, spec = found
    if not (np.isfinite(spec.mean.numpy()).all() and np.isfinite(spec.std.numpy()).all() and 0 < spec.fps <= 1000):
        return "statistics"
    return None


def feature_cache(which: str) -> Callable[[Path], list[Path]]:
    def make(place: Path) -> list[Path]:
        import torch

        from motion_platform.model.feature_cache import write_shard

        index = write_shard(place / "abc", {"a": torch.zeros(2, 8), "b": torch.ones(3, 8)})
        return [index if which == "json" else index.with_suffix(".npy")]

    return make


def read_cache(path: Path) -> Any:
    from motion_platform.model.feature_cache import read_shard

    return read_shard(path.with_suffix(".json"))


def wrong_cache(found: Any) -> str | None:
    import torch

    bad = [key for key, value in found.items() if not isinstance(key, str) or not torch.isfinite(value).all()]
    return f"features of {bad[0]!r}" if bad else None


def card(folder: str, pattern: str = "*.yaml") -> Callable[[Path], list[Path]]:
    def make(place: Path) -> list[Path]:
        found = sorted((ROOT / folder).glob(pattern))[:6]
        for path in found:
            shutil.copy(path, place / path.name)
        return [place / path.name for path in found]

    return make


def read_task(path: Path) -> Any:
    from motion_platform.core import tasks

    return tasks.load(str(path))


def read_recipe(path: Path) -> Any:
    from motion_platform.core import config

    return config.load_recipe(path)


def read_benchmark(path: Path) -> Any:
    from motion_platform.evaluation import benchmark

    return benchmark.read(str(path))


def read_suite(path: Path) -> Any:
    from motion_platform.evaluation import suite

    return suite.read(str(path))


def read_tokenizer(path: Path) -> Any:
    from motion_platform.pipelines import tokens

    return tokens.read_card(str(path))


def model(which: str) -> Callable[[Path], list[Path]]:
    def make(place: Path) -> list[Path]:
        import torch

        from motion_platform.core.config import ModelFile, ModelRecipe
        from motion_platform.core.schema import MotionSpec
        from motion_platform.model.motion_model import build

        spec = MotionSpec("humanml3d_essential", "humanml3d", 20.0, torch.zeros(67), torch.ones(67), "m")
        recipe = ModelRecipe(
            kind="spaces",
            name="recogniser",
            settings={"width": 8, "layers": 1, "embedding": 8, "targets": {"content": ["a", "b"]}},
        )
        made = ModelFile(
            format=1,
            name="x",
            task="motion_recognition",
            motion_platform="0",
            model=recipe,
            slots={},
            spec=spec.to_dict(),
        )
        build(made, spec).save_pretrained(place / "m")
        return [place / "m" / which]

    return make


def read_model(path: Path) -> Any:
    from motion_platform.model.run import load_run

    return load_run(path.parent)


def vouched_model(path: Path) -> Any:
    """The same with a sha256 that somebody has made fit."""
    import hashlib

    import yaml

    head = path.parent / "model.yaml"
    try:
        whole = yaml.safe_load(head.read_text())
        whole["weights"]["sha256"] = hashlib.sha256((path.parent / "model.safetensors").read_bytes()).hexdigest()
        head.write_text(yaml.safe_dump(whole))
    except Exception:
        pass
    return read_model(path)


def wrong_model(run: Any) -> str | None:
    import torch

    spec = run.model.spec
    tensors = {**run.model.own_state(), "mean": spec.mean, "std": spec.std}
    bad = [name for name, value in tensors.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if bad:
        return f"{bad[0]} is not finite"
    if spec.fps != 20 or run.model.card.step < 0 or run.model.card.spec["dim"] != 67 or (spec.std < 0).any():
        return f"fps {spec.fps}, step {run.model.card.step}, dim {run.model.card.spec['dim']}"
    return None


def known(place: Path) -> list[Path]:
    from motion_platform.model.knowledge import FILE, Known, write_known

    vectors = np.eye(3, 8, dtype=np.float32)
    write_known(place, Known(("a", "b", "c"), vectors, {"walk": 3}, {"walk": 2}, "encoder"))
    return [place / FILE]


def read_known(path: Path) -> Any:
    from motion_platform.model.knowledge import read_known as read

    return read(path.parent)


def wrong_known(found: Any) -> str | None:
    if len(found.sentences) != len(found.vectors) or not np.isfinite(found.vectors).all():
        return "sentences and vectors do not belong together"
    return None


def state(place: Path) -> list[Path]:
    import torch

    torch.save({"format": 1, "recipe": {"seed": 1}, "step": 3, "model": {"a": torch.zeros(3)}}, place / "state.pt")
    return [place / "state.pt"]


def read_state(path: Path) -> Any:
    from motion_platform.training.state import read_state as read

    return read(path)


def midi(place: Path) -> list[Path]:
    import mido

    made = mido.MidiFile()
    track = mido.MidiTrack()
    made.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=500_000))
    track.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    for k in range(40):
        track.append(mido.Message("note_on", note=60 + k % 12, velocity=64, time=0))
        track.append(mido.Message("note_off", note=60 + k % 12, time=480))
    made.save(place / "small.mid")
    found = [place / "small.mid"]
    for path in MIDI:
        if path.is_file():
            shutil.copy(path, place / path.name)
            return [*found, place / path.name]
    return found


def read_midi(path: Path) -> Any:
    from motion_platform.data.scores import score

    found = score.read(path)
    return found, score.grid(found)


def wrong_score(found: Any) -> str | None:
    piece, grid = found
    slow, fast = min(tempo for _, tempo in piece.tempo), max(tempo for _, tempo in piece.tempo)
    if slow < 5 or fast > 1000:
        return f"{slow:g} to {fast:g} quarters a minute"
    if not np.isfinite(grid.position).all() or (np.diff(grid.position) < 0).any():
        return "beats out of order"
    if len(grid.position) > 200_000:
        return f"{len(grid.position)} beats"
    return None


def sound(place: Path) -> list[Path]:
    import soundfile

    x = np.sin(np.arange(8000) / 20).astype(np.float32) * 0.5
    for name in ("a.wav", "b.flac", "c.ogg", "d.mp3", "e.aiff"):
        soundfile.write(place / name, x, 16000)
    soundfile.write(place / "f.wav", x, 16000, subtype="FLOAT")
    return sorted(place.iterdir())


def read_sound(path: Path) -> Any:
    from motion_platform.audio import reading

    return reading.load(path), path.suffix in (".wav", ".aiff")


def wrong_sound(found: tuple[Any, bool]) -> str | None:
    audio, may_be_floats = found  # of whole numbers up to 32,768, and what a header that was damaged makes of them
    x = audio.samples
    if not np.isfinite(x).all() or np.abs(x).max(initial=0) > (1.5e5 if may_be_floats else 50):
        return f"samples up to {np.abs(x).max():g}"
    return f"{audio.seconds:.0f} s out of half a second" if audio.seconds > 30 else None


def written(name: str, text: str) -> Callable[[Path], list[Path]]:
    def make(place: Path) -> list[Path]:
        (place / name).write_text(text)
        return [place / name]

    return make


TOKENS = {
    "format": "motion_platform.tokens 1", "tokenizer": "x", "sha256": "0", "representation": "humanml3d", "fps": 20.0,
    "stride": 4, "codes": 512, "codebooks": 1, "motions": [{"name": "a", "frames": 8, "ids": [[1], [2]]}],
}  # fmt: skip


def tokens(place: Path) -> list[Path]:
    from motion_platform.pipelines import tokens as module

    (place / "t.json").write_text(json.dumps(TOKENS | {"format": module.FORMAT}))
    return [place / "t.json"]


def read_tokens(path: Path) -> Any:
    from motion_platform.pipelines import tokens as module

    return module.read(path)


def wrong_tokens(found: Any) -> str | None:
    ids = [number for row in found.motions for step in row.ids for number in step]
    return "a number that is no code" if any(not 0 <= i < found.codes for i in ids) else None


def read_texts(path: Path) -> Any:
    from motion_platform.pipelines import texts

    return texts.read_lines(path)


def wrong_texts(found: Any) -> str | None:
    bad = [line.text for line in found if bad_text(line.text) or bad_text(line.low or "")]
    return f"a text {bad[0]!r:.60}" if bad else None


def read_timeline(path: Path) -> Any:
    from motion_platform.pipelines import timeline

    return timeline.read_timeline(path)


def read_names(path: Path) -> Any:
    from motion_platform.motion import joint_names

    return joint_names._read(path)


def read_low_texts(path: Path) -> Any:
    from motion_platform.planners import low_texts

    return low_texts.read(str(path))


def read_grid(path: Path) -> Any:
    from motion_platform.audio import text_grid

    return text_grid.words_of(path, 2.0)


def wrong_words(words: Any) -> str | None:
    bad = [word for word in words if not (-1 <= word.start <= word.end < 1e5) or bad_text(word.text)]
    return f"{bad[0]}" if bad else None


def gestures(place: Path) -> list[Path]:
    shutil.copy(SAMPLE / "gestures" / "library.npz", place / "library.npz")
    return [place / "library.npz"]


def read_gestures(path: Path) -> Any:
    from motion_platform.motion.gesturing import library

    return library.load(path)


def wrong_gestures(found: Any) -> str | None:
    for each in found.gestures:
        if not np.isfinite(each.rotations).all() or not np.isfinite(each.times).all() or not 0 < each.fps <= 1000:
            return f"gesture {each.name!r:.40}"
    return None


def read_motion(path: Path) -> Any:
    from motion_platform.motion import io

    where = path.with_suffix(".amc").parent / "39_03.amc" if path.suffix == ".asf" else path
    clips = io.load_all(where)
    if path.suffix == ".bvh":
        from motion_platform.core.errors import MotionPlatformError
        from motion_platform.motion.retarget import to_humanml3d

        with contextlib.suppress(MotionPlatformError):
            to_humanml3d(clips[0])
    return clips


def wrong_clips(clips: Any) -> str | None:
    for each in clips:
        if not np.isfinite(each.joints).all() or np.abs(each.joints).max() > 1e4:
            return f"a joint is {np.abs(each.joints).max():.3g} m away"
        for parent, j in each.skeleton.bones:
            length = np.linalg.norm(each.joints[:, j] - each.joints[:, parent], axis=-1)
            if length.max() > 10:
                return f"a bone of {length.max():.3g} m"
        if each.rotations is not None:
            size = np.linalg.norm(each.rotations, axis=-1)
            if not np.allclose(size, 1, atol=1e-2):
                return f"a rotation of length {size.max():.3g}"
    return None


GRID = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 2\ntiers? <exists>\nsize = 1\nitem []:\n'
    '    item [1]:\n        class = "IntervalTier"\n        name = "words"\n        xmin = 0\n        xmax = 2\n'
    "        intervals: size = 2\n        intervals [1]:\n            xmin = 0\n            xmax = 1\n"
    '            text = "hello"\n        intervals [2]:\n            xmin = 1\n            xmax = 2\n'
    '            text = "you"\n'
)
TEXTS, TIMES = "a person walks\na person jumps\tjump\n", "- {text: walk, seconds: 3}\n- {text: bow}\n"
FOLDERS, RESULTS = "captions, lists, arrays of HumanML3D folders", "results, result arrays, outside index"
SETS, CARDS = "prepared sets, caches", "task cards, recipes, model cards"
SOUNDS, WEIGHTS, MOTION = "MIDI, sound", "weights", "motion files, texts, tokens"

TARGETS = [
    Target("bvh", MOTION, bvh, read_motion, [*mutate.TEXT, mutate.numbers], wrong_clips, 3),
    Target("amc", MOTION, amc, read_motion, mutate.TEXT, wrong_clips),
    Target("asf", MOTION, asf, read_motion, mutate.TEXT, wrong_clips),
    Target("npz", MOTION, ours, read_motion, mutate.ARRAYS, wrong_clips, 2),
    Target("amass", MOTION, amass, read_motion, mutate.ARRAYS, wrong_clips),
    Target("npy", MOTION, npy, read_motion, mutate.ARRAYS, wrong_clips),
    Target("glb", MOTION, glb, read_motion, [mutate.numbers, mutate.token, *mutate.BYTES], wrong_clips),
    Target("texts", MOTION, written("t.txt", TEXTS), read_texts, mutate.TEXT, wrong_texts),
    Target("tokens", MOTION, tokens, read_tokens, mutate.TREE, wrong_tokens),
    Target("timeline.yaml", MOTION, written("t.yaml", TIMES), read_timeline, mutate.TREE),
    Target("timeline.json", MOTION, written("t.json", '[{"text": "walk", "seconds": 3}]'), read_timeline, mutate.TREE),
    Target("joint names", MOTION, written("n.yaml", "left_hip: Leg1\nright_hip: [a, b]\n"), read_names, mutate.TREE),
    Target("low texts", MOTION, written("l.csv", "caption,low\na person walks,walk\n"), read_low_texts, mutate.TEXT),
    Target("TextGrid", MOTION, written("w.TextGrid", GRID), read_grid, mutate.TEXT, wrong_words),
    Target("gestures", MOTION, gestures, read_gestures, mutate.ARRAYS, wrong_gestures, 0.3),
    *(
        Target(name, FOLDERS, captions(name), read_captions, how, wrong_items)
        for name, how in (("captions.csv", mutate.TEXT), ("captions.json", mutate.TREE), ("walk.txt", mutate.TEXT))
    ),
    Target("humanml3d list", FOLDERS, humanml3d("list"), read_humanml3d, mutate.TEXT, wrong_rows),
    Target("humanml3d texts", FOLDERS, humanml3d("texts"), read_humanml3d, mutate.TEXT, wrong_rows),
    Target("humanml3d npy", FOLDERS, humanml3d("npy"), read_humanml3d, mutate.ARRAYS, wrong_rows),
    Target("result json", RESULTS, result("json"), read_result, mutate.TREE),
    Target("result npz", RESULTS, result("npz"), read_result, mutate.ARRAYS),
    Target("result json, vouched for", RESULTS, result("json"), vouched_result, mutate.TREE),
    Target("result npz, vouched for", RESULTS, result("npz"), vouched_result, mutate.ARRAYS),
    Target("outside csv", RESULTS, outside("csv"), read_outside, mutate.TEXT),
    Target("outside json", RESULTS, outside("json"), read_outside, mutate.TREE),
    Target("set: meta", SETS, prepared("meta.json"), read_prepared, mutate.TREE, changed_set),
    Target("set: state", SETS, prepared("state.json"), read_prepared, mutate.TREE, changed_set),
    Target("set: arrow", SETS, prepared("data-00000.arrow"), read_prepared, mutate.BYTES, changed_set),
    Target("set: meta, no checksums", SETS, prepared("meta.json"), unsummed, mutate.TREE, wrong_set),
    Target("set: arrow, no checksums", SETS, prepared("data-00000.arrow"), unsummed, mutate.BYTES, wrong_set),
    Target("feature cache json", SETS, feature_cache("json"), read_cache, mutate.TREE, wrong_cache),
    Target("feature cache npy", SETS, feature_cache("npy"), read_cache, mutate.ARRAYS, wrong_cache),
    Target("task card", CARDS, card("tasks"), read_task, mutate.TREE),
    Target("recipe", CARDS, card("configs"), read_recipe, mutate.TREE),
    Target("benchmark", CARDS, card("configs/benchmarks"), read_benchmark, mutate.TREE),
    Target("suite", CARDS, card("configs/suites"), read_suite, mutate.TREE, share=0.5),
    Target("tokenizer", CARDS, card("tokenizers"), read_tokenizer, mutate.TREE, share=0.5),
    Target("model card", CARDS, model("model.yaml"), read_model, mutate.TREE, wrong_model),
    Target("weights", WEIGHTS, model("model.safetensors"), read_model, mutate.SAFETENSORS, wrong_model, 0.5),
    Target("weights, vouched for", WEIGHTS, model("model.safetensors"), vouched_model, mutate.SAFETENSORS, wrong_model),
    Target("known sentences", WEIGHTS, known, read_known, mutate.SAFETENSORS, wrong_known),
    Target("training state", WEIGHTS, state, read_state, mutate.BYTES, share=0.5),
    Target("midi", SOUNDS, midi, read_midi, mutate.MIDI, wrong_score),
    Target("sound", SOUNDS, sound, read_sound, mutate.BYTES, wrong_sound, 0.3),
]  # fmt: skip
