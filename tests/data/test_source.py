"""A preparation as a whole: reports instead of surprises, the same result whatever the number of processes."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from motion_platform.core.errors import DataError, OutputError
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.report import Report
from motion_platform.data.source import WINDOW, DataSource, Item, Words, check_failed, convert_file
from motion_platform.data.sources.bandai_namco import BandaiNamco
from motion_platform.motion import io, retarget
from motion_platform.motion.reference_pose import starts_with_reference_pose
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import get_skeleton

WALK = "dataset-2_walk-turn-left_normal_001"


@pytest.fixture
def few(tmp_path, sample_root: Path) -> Path:
    """Eight clips."""
    folder = tmp_path / "few"
    folder.mkdir()
    for path in sorted((sample_root / "bandai-namco").glob("*.bvh"))[:8]:
        shutil.copy(path, folder)
    return folder


def item(path: Path, **more) -> Item:
    return Item(**({"id": path.stem, "path": str(path), "split": "train", "source": "", "words": Words()} | more))


def test_mirrored_copies_are_the_features_of_the_mirror_image_and_swap_the_words(sample_dataset, sample_root):
    skeleton = get_skeleton("humanml3d")
    representation = get_representation("humanml3d")
    turns = [id for id in sample_dataset.ids() if id.endswith("_m")]
    assert len(turns) * 2 == len(sample_dataset)
    for id in turns[::6]:
        mine, other = sample_dataset.index(id), sample_dataset.index(id.removesuffix("_m"))
        assert sample_dataset.mirrored(mine)
        assert not sample_dataset.mirrored(other)
        assert sample_dataset.split(mine) == sample_dataset.split(other)
        image = representation.to_joints(sample_dataset.features(other))[:, skeleton.mirror_indices] * [-1, 1, 1]
        np.testing.assert_allclose(representation.to_joints(sample_dataset.features(mine)), image, atol=2e-3)
    id = next(id for id in sample_dataset.ids() if "walk-turn-left_normal" in id and id.endswith("_m"))
    row = sample_dataset.index(id)
    high, low = sample_dataset.captions(row)
    assert sample_dataset.labels(row) == {"content": "walk-turn-right", "style": "normal"}
    assert any("right" in c.lower() for c in high)
    assert not any("left" in c.lower().split() for c in [*high, *low])
    joints = representation.to_joints(sample_dataset.features(row))
    assert joints[-1, 0, 0] < -1  # left is X+: it really ends on the right


def test_windows_cover_a_long_clip_without_gap_or_overlap(sample_root):
    path = sample_root / "bandai-namco" / "dataset-1_kick_normal_001.bvh"
    result = convert_file(item(path, repeats=True), "humanml3d", False, None)
    whole = retarget.to_humanml3d(io.load(path))
    lengths = [len(row.features) for row in result.rows]
    assert result.windows == len(lengths) == 2
    assert sum(lengths) == len(whole) - 1
    assert max(lengths) <= WINDOW
    assert max(lengths) - min(lengths) <= 1
    assert [row.id for row in result.rows] == ["dataset-1_kick_normal_001_w1", "dataset-1_kick_normal_001_w2"]
    kept = convert_file(item(path), "humanml3d", False, None)
    assert [len(row.features) for row in kept.rows] == [len(whole) - 1]
    assert kept.long


def test_a_part_of_a_file_starts_at_the_origin_on_the_floor(sample_root):
    path = sample_root / "cmu" / "08_08.bvh"
    whole = retarget.to_humanml3d(io.load(path))
    result = convert_file(item(path, start=10, end=30), "humanml3d", False, None)
    joints = get_representation("humanml3d").to_joints(result.rows[0].features)
    assert len(joints) == 19
    np.testing.assert_allclose(joints[0, 0, [0, 2]], 0, atol=1e-6)
    expected = np.linalg.norm(whole.joints[28, 0, [0, 2]] - whole.joints[10, 0, [0, 2]])
    assert np.linalg.norm(joints[-1, 0, [0, 2]]) == pytest.approx(expected, abs=1e-3)
    late = convert_file(item(path, start=5000), "humanml3d", False, None)
    assert "the part starts at 5000" in late.error


@pytest.mark.parametrize(
    ("frames", "repeats", "rows", "long"),
    [(9, False, 0, False), (10, False, 1, False), (196, False, 1, False), (197, False, 1, True), (196, True, 1, False),
     (197, True, 2, False), (9, True, 0, False)],
)  # fmt: skip
def test_clips_are_short_and_long_from_their_borders_on(sample_root, frames, repeats, rows, long):
    path = sample_root / "bandai-namco" / "dataset-1_kick_normal_001.bvh"
    result = convert_file(item(path, end=frames + 1, repeats=repeats), "humanml3d", False, None)
    assert (len(result.rows), result.long, result.too_short) == (rows, long, rows == 0)
    assert sum(len(row.features) for row in result.rows) == (frames if rows else 0)
    with_copy = convert_file(item(path, end=frames + 1, repeats=repeats), "humanml3d", True, None)
    assert [row.mirrored for row in with_copy.rows] == [False, True] * rows


def test_a_fifth_of_the_clips_may_fail_and_small_sets_need_no_processes(monkeypatch):
    report = Report("x", failed=[{"what": "a", "why": "b"}] * 20)
    check_failed(report, 100, "nothing was written")
    with pytest.raises(DataError, match="x: 20 of 99 clips failed, so nothing was written; the first: a: b"):
        check_failed(report, 99, "nothing was written")
    asked = []
    monkeypatch.setattr(
        "motion_platform.data.source.pooled", lambda work, of, processes, chunk: asked.append((processes, chunk)) or []
    )
    monkeypatch.setattr("os.cpu_count", lambda: 40)
    for count, workers in ((199, None), (200, None), (200, 3)):
        list(DataSource._converted(BandaiNamco(), [None] * count, False, workers))
    monkeypatch.setattr("os.cpu_count", lambda: None)
    list(DataSource._converted(BandaiNamco(), [None] * 200, False, None))
    assert asked == [(1, 16), (16, 16), (3, 16), (1, 16)]


@pytest.fixture
def led(tmp_path, sample_root: Path) -> tuple[Path, Path]:
    """A run as it is, and the same with a T-pose at the origin, waist deep in the floor, as its first frame."""
    plain = sample_root / "cmu" / "02_03.bvh"
    lines = plain.read_text().splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("Frame Time")) + 1
    lines[first] = " ".join(["0"] * len(lines[first].split()))
    posed = tmp_path / "02_03.bvh"
    posed.write_text("\n".join(lines) + "\n")
    return plain, posed


def test_a_reference_pose_in_front_is_left_out_and_the_clock_stays(led):
    plain, posed = led
    assert not starts_with_reference_pose(io.load(plain))
    assert starts_with_reference_pose(io.load(posed))
    to_joints = get_representation("humanml3d").to_joints
    for start, end in ((0, 29), (0, None), (5, 20)):
        result = convert_file(item(posed, start=start, end=end), "humanml3d", False, None)
        expected = convert_file(item(plain, start=max(start, 1), end=end), "humanml3d", False, None)
        assert result.reference_pose == (start == 0)
        assert not expected.reference_pose
        joints, kept = to_joints(result.rows[0].features), to_joints(expected.rows[0].features)
        assert len(joints) == len(kept)
        np.testing.assert_allclose(joints, kept, atol=1e-3)
        assert joints[:, :, 1].min(axis=1).mean() < 0.15  # on the floor, not above it


def test_only_what_no_body_can_do_is_a_reference_pose(led):
    run = io.load(led[0]).with_(rotations=None)
    joints = run.joints.astype(np.float64)
    assert not starts_with_reference_pose(run.with_(joints=joints[:2]))
    far = joints + np.arange(len(joints))[:, None, None] * [0, 0, 0.4]  # fast, but all the time: wrong units, a vehicle
    assert not starts_with_reference_pose(run.with_(joints=far))
    arm = joints.copy()
    arm[0, run.skeleton.index("LeftHand")] += 0.7  # one joint
    assert not starts_with_reference_pose(run.with_(joints=arm))
    for height, found in ((0.2, False), (0.3, True)):  # 6 and 9 m/s of the whole body at 30 fps
        still = np.repeat(joints[:1], 8, axis=0)
        still[0, :, 1] += height
        assert starts_with_reference_pose(run.with_(joints=still)) == found


def test_a_reference_pose_is_reported_by_name(tmp_path, few):
    source = sorted(few.glob("*.bvh"))[0]
    lines = source.read_text().splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("Frame Time")) + 1
    values = lines[first].split()
    lines[first] = " ".join(["0", "-300", "0", *values[3:]])
    source.write_text("\n".join(lines) + "\n")
    report = BandaiNamco().prepare(few, tmp_path / "out")
    assert len(report.reference_poses) == 1
    assert report.reference_poses[0] in source.stem
    assert f"the first frame of {source.stem}: a reference pose" in report.text()
    assert PreparedDataset.open(tmp_path / "out").meta["report"]["reference_poses"] == [source.stem]


def test_a_clip_named_after_the_wrong_side_is_dropped_and_reported(tmp_path, sample_root, few):
    original = next((sample_root / "bandai-namco").glob("dataset-2_walk-turn-left_normal_*.bvh"))
    shutil.copy(original, few / original.name.replace("left", "right"))
    report = BandaiNamco().prepare(few, tmp_path / "out")
    wrong = original.stem.replace("left", "right")
    assert report.sides_swapped == [wrong]
    assert wrong in {entry["what"] for entry in report.dropped}
    assert wrong not in PreparedDataset.open(tmp_path / "out").ids()
    assert "1 swapped" in report.text()


def test_one_bad_file_is_reported_and_not_fatal(tmp_path, few):
    (few / "dataset-1_walk_happy_099.bvh").write_text("HIERARCHY\nROOT")
    report = BandaiNamco().prepare(few, tmp_path / "out")
    assert [entry["what"] for entry in report.failed] == ["dataset-1_walk_happy_099"]
    assert report.clips == 2 * 8
    meta = PreparedDataset.open(tmp_path / "out").meta
    assert meta["report"]["failed"] == report.failed
    assert "failed: 1" in report.text()


def test_too_many_bad_files_are_fatal_and_nothing_is_written(tmp_path, few):
    for take in range(4):
        (few / f"dataset-1_walk_happy_{take:03d}.bvh").write_text("")
    with pytest.raises(
        DataError, match="4 of 12 clips failed, so nothing was written; the first: dataset-1_walk_happy_000"
    ):
        BandaiNamco().prepare(few, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def test_too_short_clips_are_dropped_by_the_rule(tmp_path, few):
    source = next(few.glob("*.bvh"))
    lines = source.read_text().splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith("Frames:"))
    short = [*lines[:at], "Frames: 12", *lines[at + 1 : at + 2 + 12]]
    (few / "dataset-1_bow_old_001.bvh").write_text("\n".join(short) + "\n")
    report = BandaiNamco().prepare(few, tmp_path / "out")
    assert report.too_short == ["dataset-1_bow_old_001"]
    assert any("shorter than 10 frames" in entry["why"] for entry in report.dropped)


@pytest.mark.slow
def test_the_result_does_not_depend_on_the_number_of_processes(tmp_path, few):
    one = BandaiNamco().prepare(few, tmp_path / "one", workers=1)
    two = BandaiNamco().prepare(few, tmp_path / "two", workers=2)
    assert (one.clips, one.frames, one.splits) == (two.clips, two.frames, two.splits)
    assert (tmp_path / "one" / "data-00000.arrow").read_bytes() == (tmp_path / "two" / "data-00000.arrow").read_bytes()


def test_without_mirrored_copies(tmp_path, few):
    report = BandaiNamco().prepare(few, tmp_path / "out", mirror=False)
    assert (report.clips, report.mirrored) == (8, 0)


def test_missing_source_and_existing_output_are_refused_before_any_work(tmp_path, few):
    with pytest.raises(DataError, match="does not exist"):
        BandaiNamco().prepare(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no dataset-N_CONTENT_STYLE_TAKE"):
        BandaiNamco().prepare(tmp_path / "empty", tmp_path / "out")
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match="already exists"):
        BandaiNamco().prepare(few, tmp_path / "out")


def test_the_report_counts_captions():
    report = Report("x")
    report.count_captions(
        [
            ("a", ["A person walks.", "someone walks"], {"style": "sad"}),
            ("b", ["a person walks", "walk"], {"style": "sad"}),
            ("c", ["walk!"], {"style": "old"}),
        ]
    )
    assert report.captions == 5
    assert report.captions_distinct == 3  # capitals and full stops aside
    assert report.captions_shared == 2
    assert report.captions_ambiguous == 1


def test_the_report_lists_ten_reasons_and_three_names_each():
    report = Report("x", notes=["a note"])
    for k in range(11):
        report.dropped += [{"what": f"clip{k}_{n}", "why": f"reason {k:02d}"} for n in range(14 - k)]
    text = str(report)
    assert text == report.text()
    assert "dropped: 99" in text
    assert "    14 x reason 00 (clip0_0, clip0_1, clip0_2, ...)" in text
    assert "reason 09" in text
    assert "reason 10" not in text
    assert "and 1 more reasons (all are in meta.json)" in text
    assert text.index("reason 00") < text.index("reason 09")  # the most frequent first
    report.dropped = report.dropped[:-4]
    assert "more reasons" not in report.text()
    report.dropped = [{"what": w, "why": "one"} for w in ("a", "b", "c")]
    assert "    3 x one (a, b, c)\n" in report.text()
    report.reference_poses = [f"p{k}" for k in range(10)]
    assert "p8, p9: a reference pose" in report.text()
    report.reference_poses += ["p10"]
    assert "p8, p9, ...: a reference pose" in report.text()
    assert report.text().endswith("  note: a note")


def test_what_a_report_says_of_time(tmp_path, few, monkeypatch):
    """Hours of motion at 20 frames a second, and the seconds that it took."""
    clock = iter([100.0, 142.5])
    monkeypatch.setattr("motion_platform.data.source.time.perf_counter", lambda: next(clock))
    report = BandaiNamco().prepare(few, tmp_path / "out", workers=1)
    assert report.seconds == 42.5
    assert report.hours == pytest.approx(report.frames / 20 / 3600)
    assert (report.files, report.sides_checked, report.without_captions) == (8, 8, 0)
    assert report.captions == sum(len(PreparedDataset.open(tmp_path / "out").captions(i)[0]) for i in range(16))


def test_what_becomes_of_an_item_is_noted_once():
    from motion_platform.data.source import Converted, PreparedRow, count, note

    report, about = Report("x"), Item("a", "a.bvh", "train", "", Words())
    note(Converted(about), report)
    assert report == Report("x")
    note(Converted(about, windows=1, side_checked=True), report)
    note(Converted(about, windows=2, long=True, nan=True, error="e", remarks=[("a 1", "r")]), report)
    note(Converted(about, dropped="d", too_short=True, reference_pose=True, side_swapped=True), report)
    assert report == Report(
        "x", sides_checked=1, failed=[{"what": "a", "why": "e"}], nan=["a"], cut_into_windows=["a"],
        longer_than_window=["a"], too_short=["a"], reference_poses=["a"], sides_swapped=["a"],
        dropped=[{"what": "a 1", "why": "r"}, {"what": "a", "why": "d"}],
    )  # fmt: skip
    for high, mirrored in ((("a", "b"), False), ((), True)):
        row = PreparedRow("a", "train", "", np.zeros((7, 2)), Words(high, labels={"b": "c"}), mirrored)
        assert count(row, report) == ("a", list(high), {"b": "c"})
    assert (report.clips, report.mirrored, report.frames, report.without_captions) == (2, 1, 14, 1)


@pytest.mark.parametrize(
    ("start", "end", "frames"), [(0, None, 99), (89, None, 10), (90, None, 0), (99, None, 0), (0, 11, 10), (5, 15, 0)]
)
def test_a_part_goes_from_its_first_frame_to_before_its_end(monkeypatch, sample_root, start, end, frames):
    """A row needs two frames, so that a part has one row fewer than frames."""
    path = sample_root / "bandai-namco" / "dataset-1_kick_normal_001.bvh"
    whole = retarget.to_humanml3d(io.load(path))
    monkeypatch.setattr(retarget, "to_humanml3d", lambda *_, **__: whole.with_(joints=whole.joints[:100]))
    result = convert_file(item(path, start=start, end=end), "humanml3d", False, None)
    assert sum(len(row.features) for row in result.rows) == frames
    assert result.error is None
    assert convert_file(item(path, start=100), "humanml3d", False, None).error.endswith("the part starts at 100")


def test_errors_of_a_file_leave_no_row_of_it(monkeypatch, sample_root):
    path = sample_root / "bandai-namco" / "dataset-1_kick_normal_001.bvh"
    for error, said in (
        (DataError("a NaN is there"), "a NaN is there"), (DataError("no"), "no"),
        (ZeroDivisionError("zero"), "ZeroDivisionError: zero"), (OSError("gone"), "OSError: gone"),
    ):  # fmt: skip

        def fails(*_, error=error):
            raise error

        monkeypatch.setattr(retarget, "mirror", fails)
        result = convert_file(item(path, repeats=True), "humanml3d", True, None)
        assert (result.rows, result.error, result.nan) == ([], said, "NaN" in said)


def test_progress_is_shown_where_it_is_asked_for(capsys):
    from motion_platform.data.source import _track

    assert list(_track([3, 4], 2, False)) == [3, 4]
    assert capsys.readouterr().out == ""
    assert list(_track([3, 4], 2, True)) == [3, 4]
    assert "preparing" in capsys.readouterr().out
