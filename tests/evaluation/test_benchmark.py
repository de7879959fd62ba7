"""Cells that are kept, redone and reported; motions from elsewhere; comparisons; all of it once through the command."""

from __future__ import annotations

import base64
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

from motion_platform.cli.app import app
from motion_platform.core import cards
from motion_platform.core.catalog import CATALOG
from motion_platform.core.config import MetricRecipe
from motion_platform.core.errors import ConfigError, DataError, MotionPlatformError, UsageError
from motion_platform.data.prepared import PreparedDataset
from motion_platform.evaluation import benchmark, compare, outside, processes, report, results
from motion_platform.evaluation.benchmark import Benchmark, Entry, Job
from motion_platform.evaluation.bounds.motion import RealMotion
from motion_platform.evaluation.judges import Judges
from motion_platform.evaluation.protocol import Repeats, ResultRow, row
from motion_platform.evaluation.testset import TestSet
from motion_platform.model.motion_model import MotionModel
from motion_platform.motion.representations import get_representation
from motion_platform.training import build


@pytest.fixture
def models(recipe, tmp_path: Path) -> Path:
    """A folder with an untrained generator ``toy`` and an untrained space ``space``."""
    torch.manual_seed(0)
    build.assemble(recipe(), name="toy").model.save_pretrained(tmp_path / "toy")
    made = build.assemble(recipe("slots.text.encoder=letters", base="smoke/text_motion"), name="space")
    made.model.save_pretrained(tmp_path / "space")
    return tmp_path


@pytest.fixture
def toy(models: Path, toy_data: Path) -> Benchmark:
    space = str(models / "space")
    return Benchmark(
        tasks=["text_to_motion"],
        entries=[
            Entry(model=str(models / "toy")),
            Entry(name="two steps <b>", model=str(models / "toy"), steps=2, guidance=1.0, slots=["text_high"]),
        ],
        data="sample",
        folder=str(toy_data),
        split="train",
        repeats=2,
        metrics=[
            MetricRecipe(name="multimodal_distance", space=space),
            MetricRecipe(name="frechet", space=space),
            MetricRecipe(name="jerk"),
        ],
        bounds=["mean_pose"],
        shown=2,
    )


def run(described: Benchmark, out: Path | None = None, **settings) -> dict[str, ResultRow]:
    cells = benchmark.run(Job(described, out, quiet=True, **settings))
    return {cell.row.facts["name"]: cell.row for cell in cells}


class Counter:
    """Counts the motions that are generated."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made = 0
        generate = MotionModel.generate

        def counting(model, raw, lengths, ids, **settings):
            self.made += len(ids)
            return generate(model, raw, lengths, ids, **settings)

        monkeypatch.setattr(MotionModel, "generate", counting)


# ---------------------------------------------------------------- cells


def test_finished_cells_are_kept_and_broken_ones_redone(toy: Benchmark, tmp_path: Path, monkeypatch) -> None:
    count, out = Counter(monkeypatch), tmp_path / "out"
    first = run(toy, out)
    assert list(first) == ["real motion", "mean pose", "toy", "two steps <b>"]
    n = first["toy"].facts["samples"]
    assert count.made == 4 * n
    again = run(toy, out)
    assert count.made == 4 * n
    assert again["toy"].facts == first["toy"].facts
    cell = out / "cells" / "toy__text_to_motion__seed0.json"
    text = cell.read_text()
    for broken in (text[: len(text) // 2], "", text.replace('"mean":', '"mean": 1,\n"_":', 1)):
        cell.write_text(broken)
        count.made = 0
        assert run(toy, out)["toy"].facts["metrics"] == first["toy"].facts["metrics"]
        assert count.made == 2 * n
    cell.with_suffix(".npz").write_bytes(b"PK")
    count.made = 0
    run(toy, out)
    assert count.made == 2 * n
    run(toy.model_copy(update={"repeats": 3}), out)  # other settings are another cell
    assert count.made == 8 * n


def test_generated_motions_are_kept_for_another_metric(toy: Benchmark, tmp_path: Path, monkeypatch) -> None:
    count, cache = Counter(monkeypatch), tmp_path / "cache"
    first = run(toy, cache=cache)
    made = count.made
    more = toy.model_copy(update={"metrics": [*toy.metrics, MetricRecipe(name="floating")]})
    second = run(more, cache=cache)
    assert count.made == made
    for name in ("toy", "two steps <b>"):
        for value, found in first[name].facts["metrics"].items():
            assert second[name].facts["metrics"][value]["values"] == found["values"]
        assert second[name].facts["seconds_per_motion"] == pytest.approx(first[name].facts["seconds_per_motion"], 1e-3)
    damaged = next(cache.rglob("*.npz"))
    damaged.write_bytes(damaged.read_bytes()[:40])
    (why,) = [row.facts["refused"][""] for row in run(more, cache=cache).values() if "" in row.facts["refused"]]
    assert re.search(r"\.npz: kept motions cannot be read .*delete the file", why)


def test_where_a_number_comes_from_is_written_down(toy: Benchmark) -> None:
    facts = run(toy)["toy"].facts
    assert (
        facts["weights"] == yaml.safe_load((Path(toy.entries[0].model) / "model.yaml").read_text())["weights"]["sha256"]
    )
    assert facts["versions"]["torch"] == torch.__version__
    assert facts["hardware"]["cores"] >= 1
    assert facts["peak_memory_mb"] > 50
    assert facts["seconds_per_motion"] > 0
    assert facts["seeds"] == [0, 1]
    assert len(facts["spaces"]) == 1


def test_real_motion_reported_is_the_same_for_any_model(toy: Benchmark) -> None:
    alone = toy.model_copy(update={"entries": toy.entries[1:]})
    assert run(toy)["real motion"].facts["metrics"] == run(alone)["real motion"].facts["metrics"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"entries": [{"name": "x"}]}, "entries.0: write either model or folder"),
        ({"entries": [{"model": "a"}, {"model": "b", "name": "a"}]}, "two entries are called 'a'"),
        ({"entries": [{"folder": "a", "steps": 3}]}, "steps is for a model"),
        ({"entries": [{"model": "a", "name": "real motion"}]}, "'real motion' is the name of another row"),
        ({"entries": [{"model": "a", "stepz": 3}]}, "did you mean 'steps'"),
        ({"bounds": ["mean_poze"]}, "did you mean 'mean_pose'"),
        ({"metrics": [{"name": "frechett"}]}, "did you mean 'frechet'"),
        ({"tasks": ["text_to_motoin"]}, "did you mean 'text_to_motion'"),
        ({"repeats": 0}, "repeats: got 0"),
    ],
)
def test_a_wrong_benchmark_is_refused_in_one_line(change: dict, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"tasks": ["text_to_motion"], "entries": [{"model": "a"}]} | change))
    with pytest.raises(UsageError) as caught:
        benchmark.read(str(path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", cards.names("benchmarks"))
def test_every_shipped_benchmark_can_be_read(name: str) -> None:
    found = benchmark.read(name)
    assert found.title
    assert cards.find("benchmarks", name).read_text().startswith(f"# motion benchmark {name}\n")
    assert name not in cards.names("configs")


# ---------------------------------------------------------------- results from elsewhere


@pytest.fixture
def theirs(sample_folder: Path, tmp_path: Path) -> Path:
    """The real motions of the packaged test split as joints, in a folder."""
    dataset, folder = PreparedDataset.open(sample_folder), tmp_path / "theirs"
    folder.mkdir()
    decode = get_representation("humanml3d").decode
    for i in dataset.indices("test"):
        np.save(folder / f"{dataset.id(i)}.npy", decode(torch.tensor(dataset.features(i))).numpy())
    return folder


def test_motions_from_elsewhere_are_scored_as_they_are(theirs: Path, sample_folder: Path) -> None:
    dataset = PreparedDataset.open(sample_folder)
    metrics = [MetricRecipe(name=name) for name in ("mpjpe", "floating", "jerk")]
    judges = Judges(metrics, TestSet(dataset, "test"))
    real = row(RealMotion(), judges, Repeats(repeats=3)).facts["metrics"]
    made = row(outside.OutsideMotions(theirs), judges, Repeats(repeats=3)).facts["metrics"]
    assert made["mpjpe"]["mean"] < 0.1  # millimetres: joints in float32, turned into features and back
    for name in ("floating", "jerk"):
        assert made[name]["mean"] == pytest.approx(real[name]["mean"], rel=1e-3, abs=1e-3)
    sample = dataset.ids("test")[0]
    np.save(theirs / f"{sample}.npy", dataset.features(dataset.index(sample)))  # features, (T, 263), among joints
    mixed = row(outside.OutsideMotions(theirs), judges, Repeats(repeats=1)).facts["metrics"]
    assert mixed["mpjpe"]["mean"] < 0.1


def test_an_index_names_the_files(theirs: Path, sample_folder: Path) -> None:
    ids = PreparedDataset.open(sample_folder).ids("test")
    for k, sample in enumerate(ids):
        (theirs / f"{sample}.npy").rename(theirs / f"{k}.npy")
    (theirs / "index.csv").write_text("id,file\n" + "".join(f"{sample},{k}.npy\n" for k, sample in enumerate(ids)))
    found = outside.find_files(theirs)
    assert [found[sample].name for sample in ids] == [f"{k}.npy" for k in range(len(ids))]
    (theirs / "index.csv").unlink()
    (theirs / "index.json").write_text(json.dumps({sample: f"{k}.npy" for k, sample in enumerate(ids)}))
    assert outside.find_files(theirs).keys() == set(ids)


def test_bad_folders_are_refused(theirs: Path, sample_folder: Path, tmp_path: Path) -> None:
    test = TestSet(PreparedDataset.open(sample_folder), "test")
    judges = Judges([MetricRecipe(name="jerk")], test)
    first, second, *_ = test.ids

    def score() -> None:
        row(outside.OutsideMotions(theirs), judges, Repeats(repeats=1))

    joints = np.load(theirs / f"{first}.npy")
    broken = joints.copy()
    broken[7, 3, 1] = np.nan
    np.save(theirs / f"{first}.npy", broken)
    with pytest.raises(DataError, match=f"{first}.npy: frame 7 has a NaN"):
        score()
    np.save(theirs / f"{first}.npy", joints)
    np.savez(theirs / f"{first}.npz", x=joints)
    with pytest.raises(DataError, match=f"clip '{first}' is there twice"):
        score()
    (theirs / f"{first}.npz").unlink()
    for sample in (first, second):
        (theirs / f"{sample}.npy").unlink()
    with pytest.raises(DataError, match=f"2 of 14 clips of split test have no motion: {first}, {second};"):
        score()
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UsageError, match=r"neither a checkpoint .* nor a folder of motions"):
        outside.OutsideMotions(tmp_path / "nothing")


# ---------------------------------------------------------------- comparing


def test_the_bootstrap_error_is_that_of_the_paired_difference() -> None:
    random = np.random.default_rng(0)
    a = random.normal(size=400)
    b = a + random.normal(0.02, 0.1, size=400)  # noisy together, so that only pairing sees the difference
    pairs = [np.stack([x, np.ones(400)], 1) for x in (a, b)]
    expected = np.std(b - a, ddof=1) / math.sqrt(400)
    assert compare.clip_error(*pairs, 2000, 1) == pytest.approx(expected, rel=0.06)


def test_a_comparison_says_what_is_significant(toy: Benchmark) -> None:
    rows = run(toy)
    same = compare.compare(rows["toy"], rows["toy"], set_resamples=20, resamples=50)
    assert not any(each.significant for each in same)
    assert all(each.difference == 0 for each in same)
    found = {each.name: each for each in compare.compare(rows["real motion"], rows["toy"], set_resamples=40)}
    assert found["jerk"].significant
    assert found["jerk"].method == compare.BY_CLIPS
    assert found["frechet"].significant
    assert found["frechet"].method == compare.BY_EMBEDDINGS
    words = compare.in_words(list(found.values()), "real", "toy")
    assert any(line.startswith("frechet: real is significantly better than toy (") for line in words)
    other = ResultRow({**rows["toy"].facts, "split": "val"}, rows["toy"].arrays)
    with pytest.raises(DataError, match="split is 'train' for A and 'val' for B"):
        compare.compare(rows["toy"], other)


def test_a_metric_without_direction_is_better_when_nearer_to_real_motion() -> None:
    def each(b: float) -> compare.Difference:
        return compare.Difference("acceleration", 5.0, b, 0.1, 0.0001, "m/s^2", None, compare.BY_CLIPS)

    real = ResultRow({"metrics": {"acceleration": {"mean": 3.0}}})
    assert "B is significantly better" in compare.in_words([each(4.0)], "A", "B", real)[0]
    assert "A is significantly better" in compare.in_words([each(0.5)], "A", "B", real)[0]
    assert "B is significantly lower than A" in compare.in_words([each(4.0)], "A", "B")[0]


# ---------------------------------------------------------------- reporting


def test_numbers_are_rounded_to_their_interval() -> None:
    assert report.number(0.51234, 0.00321) == "0.5123 \u00b1 0.0032"
    assert report.number(123.456, 7.8) == "123.5 \u00b1 7.8"
    assert report.number(1234.5, 78) == "1234 \u00b1 78"
    assert report.number(0.123456, None) == "0.1235"
    assert report.number(3e-13, 2e-13) == "0"
    assert report.number(0.09375, 1e-17) == "0.09375"


def test_the_report_is_one_page_that_asks_for_nothing(toy: Benchmark, tmp_path: Path) -> None:
    cells = benchmark.run(Job(toy, quiet=True))
    paths = report.write(cells, tmp_path / "out", "A <title>", {"x": 1})
    assert [path.name for path in paths] == ["benchmark.json", "table.md", "report.html"]
    whole = json.loads(paths[0].read_text())
    assert [each["name"] for each in whole["rows"]] == ["real motion", "mean pose", "toy", "two steps <b>"]
    table = paths[1].read_text()
    assert table.index("| real motion |") < table.index("| mean pose |") < table.index("| toy |")
    page = paths[2].read_text()
    assert "<title>A &lt;title&gt;</title>" in page
    assert "two steps <b>" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)
    assert page.count("<svg") >= 6
    pages = json.loads(re.search(r'id="pages">(.*?)</script>', page, re.DOTALL)[1])
    assert len(pages) == 2
    assert all("motion-data" in each and "toy" in each for each in pages)
    assert "{{" not in page.split("<script")[0]


def data_of(page: str) -> dict:
    """What the player of a page plays."""
    return json.loads(re.search(r'id="motion-data">(.*?)</script>', page, re.DOTALL)[1])


@pytest.mark.parametrize("name", sorted(CATALOG["representations"]))
def test_the_report_plays_every_representation(name: str) -> None:
    body = get_representation(name)
    joints = np.random.default_rng(0).normal(size=(12, len(body.skeleton), 3)).astype(np.float32)
    joints[..., 2] *= body.skeleton.dims == 3
    fps = body.fps
    facts = {
        "kind": "model",
        "metrics": {},
        "shown": {"clip 1": ""},
        "body": {"skeleton": body.skeleton.name, "fps": fps},
    }
    rows = [ResultRow({"name": who, **facts}, {"shown/clip 1": joints}) for who in ("real motion", "mine")]
    ((caption, page),) = report.play(report.lines_of(rows))
    assert caption == "clip 1"
    motions = data_of(page)["motions"]
    assert [motion["caption"] for motion in motions] == ["real motion", "mine"]
    for motion in motions:
        assert (motion["joints"], motion["frames"], motion["flat"]) == (len(body.skeleton), 12, body.skeleton.dims == 2)
        assert motion["fps"] * motion["every"] == pytest.approx(fps)
        root = np.frombuffer(base64.b64decode(motion["root"]), "<f4").reshape(12, 1, 3)
        local = np.frombuffer(base64.b64decode(motion["local"]), "<i2").reshape(12, len(body.skeleton), 3)
        assert np.abs(root + motion["scale"] * local.astype(np.float64) - joints).max() < 1e-3


def test_conductors_are_measured_and_played(conductor_folder: Path) -> None:
    test = TestSet(PreparedDataset.open(conductor_folder), "test")
    judges = Judges([MetricRecipe(name="jerk")], test)
    measured = row(RealMotion(), judges, Repeats(repeats=1, shown=1))
    assert measured.facts["body"] == {"skeleton": "coco_upper", "fps": 30.0}
    ((_, page),) = report.play(report.lines_of([measured]))
    (motion,) = data_of(page)["motions"]
    assert (motion["joints"], motion["fps"], motion["flat"]) == (13, 30.0, True)


def test_the_page_of_speakers_plays_what_they_say(speech_folder: Path, conductor_folder: Path, tmp_path: Path) -> None:
    test = TestSet(PreparedDataset.open(speech_folder), "train", samples=2, max_frames=40)
    judges = Judges([MetricRecipe(name="jerk")], test)
    real = row(RealMotion(), judges, Repeats(repeats=1, shown=1))
    other = ResultRow({**real.facts, "name": "a model", "kind": "model"}, dict(real.arrays))
    del other.facts["sound"], other.arrays[next(name for name in other.arrays if name.startswith("sound/"))]
    results.save(tmp_path / "kept.json", [real, other], {})
    _, kept = results.load(tmp_path / "kept.json")
    ((_, page),) = report.play(report.lines_of(kept))
    sound = data_of(page)["audio"]
    assert sound["src"].startswith("data:audio/mpeg;base64,")
    assert sound["seconds"] == 2.0
    assert np.frombuffer(base64.b64decode(sound["peaks"]), np.uint8).max() == 255
    assert len(data_of(page)["motions"]) == 2
    silent = TestSet(PreparedDataset.open(conductor_folder), "test")
    assert "sound" not in row(RealMotion(), Judges([MetricRecipe(name="jerk")], silent), Repeats(1, shown=1)).facts


def test_seeds_are_pooled(toy: Benchmark) -> None:
    cells = benchmark.run(Job(toy.model_copy(update={"seeds": [0, 1], "bounds": []}), quiet=True))
    lines = {line.name: line for line in report.lines_of([cell.row for cell in cells])}
    values = [v for c in cells if c.row.facts["name"] == "toy" for v in c.row.facts["metrics"]["jerk"]["values"]]
    assert len(set(values)) == 4
    assert lines["toy"].values["jerk"][0] == pytest.approx(np.mean(values))
    assert lines["toy"].values["jerk"][2] == 4


def test_a_result_file_is_whole_or_none(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    results.save(
        path,
        [ResultRow({"name": "x", "mean": 0.1}, {"ids": np.array(["a", "b"]), "point/x": np.ones((2, 2))})],
        {"task": "t"},
    )
    header, (found,) = results.load(path)
    assert header["task"] == "t"
    assert found.facts == {"name": "x", "mean": 0.1}
    assert found.arrays["ids"].tolist() == ["a", "b"]
    path.write_text(path.read_text().replace("0.1", "0.2"))
    with pytest.raises(DataError, match="was changed after it was written"):
        results.load(path)


def test_what_cannot_be_measured_is_a_row_that_says_why(toy: Benchmark, tmp_path: Path) -> None:
    """A model that is not here, one of another body and a task without data: the others are measured."""
    more = [Entry(model=str(tmp_path / "nobody")), Entry(model="conductor_small")]
    described = toy.model_copy(update={"entries": [*toy.entries, *more], "bounds": []})
    cells = benchmark.run(Job(described, quiet=True))
    rows = {cell.row.facts["name"]: cell.row.facts for cell in cells}
    assert rows[toy.entries[0].called]["metrics"]
    assert "nobody" in rows["nobody"]["refused"][""]
    assert "has no condition 'text_high'" in rows["conductor_small"]["refused"][""]
    said = report.markdown(cells)
    assert "Not measured for conductor_small: conductor_small (conductor_ddpm) was trained for" in said
    assert "conductor_small" in report.page(cells, "x")
    both = described.model_copy(update={"tasks": ["text_to_motion", "music_to_conductor"], "entries": toy.entries})
    cells = benchmark.run(Job(both, quiet=True))
    assert {cell.task for cell in cells if cell.row.facts["metrics"]} == {"text_to_motion"}
    assert "Nothing could be measured." in report.markdown(cells)
    with pytest.raises(MotionPlatformError, match="nobody"):
        benchmark.run(Job(described.model_copy(update={"entries": more[:1]}), quiet=True))


# ---------------------------------------------------------------- processes, and all of it


def test_an_error_in_one_process_is_one_line_in_the_first(toy: Benchmark, tmp_path: Path) -> None:
    wrong = toy.model_copy(update={"folder": str(tmp_path / "nowhere")})
    with pytest.raises(DataError, match="no prepared data set"):
        processes.launch(benchmark.work, (Job(wrong, quiet=True),), 1)


@pytest.fixture(scope="module")
def small(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained generator and an untrained space for the packaged clips, with the packaged sentence encoder."""
    from motion_platform.core import config

    out = tmp_path_factory.mktemp("small")
    for name in ("text_motion", "text_to_motion"):
        recipe = config.load_recipe(cards.find("configs", f"smoke/{name}"), [f"data.folder={sample_folder}"])
        build.assemble(recipe, name=name).model.save_pretrained(out / name)
    return out


@pytest.mark.slow
def test_the_same_scores_on_one_two_and_three_processes(small: Path, sample_folder: Path) -> None:
    space = str(small / "text_motion")
    described = Benchmark(
        tasks=["text_to_motion"],
        entries=[Entry(model=str(small / "text_to_motion"))],
        data="sample",
        folder=str(sample_folder),
        split="val",
        repeats=2,
        several_repeats=1,
        batch_size=1,
        metrics=[
            MetricRecipe(name="multimodal_distance", space=space),
            MetricRecipe(name="r_precision", space=space, settings={"pool": 2, "top": 1}),
            MetricRecipe(name="multimodality", space=space, settings={"clips": 2, "generations": 3, "pairs": 2}),
            MetricRecipe(name="jerk"),
        ],
        bounds=["random_clip", "shuffled_captions"],
        shown=1,
    )
    counts = {}
    for count in (1, 2, 3):
        cells = benchmark.run(Job(described, quiet=True), count)
        counts[count] = [
            (c.row.facts["name"], name, v["values"]) for c in cells for name, v in c.row.facts["metrics"].items()
        ]
        assert len(cells) == 4
    for other in (2, 3):
        for (who, name, one), (their, same, many) in zip(counts[1], counts[other], strict=True):
            assert (who, name) == (their, same)
            assert many == pytest.approx(one, abs=1e-9, rel=1e-9)
    missing = described.model_copy(update={"entries": [Entry(model=str(small / "nothing"))]})
    with pytest.raises(Exception, match="nothing"):
        benchmark.run(Job(missing, quiet=True), 2)


def test_the_commands_from_end_to_end(small: Path, sample_folder: Path, tmp_path: Path) -> None:
    space = small / "text_motion"
    common = ["--data", str(sample_folder), "--repeats", "2", "--processes", "1", "--split", "val"]
    common += ["--metrics", f"multimodal_distance={space},manifold={space},frechet={space}", "--metrics", "jerk"]
    shell = CliRunner()

    def motion(*arguments: str) -> str:
        done = shell.invoke(app, list(arguments))
        assert done.exception is None, (done.exception, done.output)
        return done.output

    model = str(small / "text_to_motion")
    said = motion("evaluate", model, *common, "-o", str(tmp_path / "a.json"), "-o", str(tmp_path / "a.md"))
    assert "| text_to_motion |" in (tmp_path / "a.md").read_text()
    assert said.index("real motion") < said.index("random training clip") < said.index("text_to_motion")
    assert "frechet: 4 samples of 16 dimensions" in said
    motion("evaluate", model, *common, "--steps", "2", "--no-bounds", "-o", str(tmp_path / "b.json"))
    said = motion("compare", str(tmp_path / "a.json"), str(tmp_path / "b.json"))
    assert "jerk: " in said
    assert "multimodal_distance: " in said
    out = tmp_path / "out"
    benchmarked = motion("benchmark", "--models", f"{model}", *common, "--seeds", "0,1", "-o", str(out), "--no-bounds")
    assert "| text_to_motion |" in benchmarked
    assert (out / "report.html").stat().st_size > 50_000
    assert len(list((out / "cells").glob("*.json"))) == 4
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    dataset = PreparedDataset.open(sample_folder)
    for i in dataset.indices("val"):
        np.save(theirs / f"{dataset.id(i)}.npy", dataset.features(i))
    said = motion("evaluate", str(theirs), *common, "-o", str(tmp_path / "c.html"))
    assert "theirs" in said
    with pytest.raises(ConfigError, match="twice"):
        shell.invoke(app, ["evaluate", model, *common, "--metrics", "jerk"], catch_exceptions=False)
