"""The joined set: what its parts say about themselves, and that no take leaks between splits."""

import json
import shutil
from collections import defaultdict
from pathlib import Path

import pytest

from motion_platform.core.errors import DataError
from motion_platform.data.report import Report
from motion_platform.data.sources.bandai_cmu import BandaiCMU
from motion_platform.data.sources.bandai_namco import BandaiNamco, how_many_captions
from motion_platform.data.sources.cmu_humanml3d import CMUHumanML3D
from motion_platform.texts.bandai import HIGH_PER_CLIP


@pytest.fixture
def copy(tmp_path, sample_root: Path) -> Path:
    folder = tmp_path / "source"
    for part in ("cmu", "humanml3d"):
        shutil.copytree(sample_root / part, folder / part)
    return folder


def test_no_take_leaks_between_splits(tmp_path):
    """On the names of a set as large as the real one: all windows and copies of a take share its split."""
    kinds = [f"dataset-2_{c}_{s}" for c in ("walk", "run", "wave-left-hand") for s in ("old", "active", "normal")]
    for kind in kinds:
        for take in range(1, 31):
            (tmp_path / f"{kind}_{take:03d}.bvh").touch()
    for style in ("sad", "proud"):
        (tmp_path / f"dataset-1_bow_{style}_001.bvh").touch()
    items = BandaiNamco().items(tmp_path, Report(""))
    splits = {item.id: item.split for item in items}
    assert len(splits) == 9 * 30 + 2
    for kind in kinds:
        own = [split for id, split in splits.items() if id.startswith(kind)]
        assert (own.count("test"), own.count("val")) == (4, 2)
    assert {splits[f"dataset-1_bow_{style}_001"] for style in ("sad", "proud")} == {"train"}
    fewer = {item.id: item.split for item in BandaiNamco().items(tmp_path, Report(""))}
    assert fewer == splits


def test_prepared_windows_and_copies_share_a_split(sample_dataset):
    takes = defaultdict(set)
    for i in range(len(sample_dataset)):
        takes[sample_dataset.source(i)].add(sample_dataset.split(i))
    assert all(len(splits) == 1 for splits in takes.values())
    assert len(takes) == 46


def test_bandai_names_that_say_nothing_are_reported(tmp_path):
    for name in ("dataset-1_walk_old_001", "dataset-1_jump_old_001", "dataset-1_walk_cool_001", "notes"):
        (tmp_path / f"{name}.bvh").touch()
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "dataset-1_walk_old_001.bvh").touch()
    report = Report("")
    items = BandaiNamco().items(tmp_path, report)
    assert [item.id for item in items] == ["dataset-1_walk_old_001"]
    why = {entry["what"]: entry["why"] for entry in report.dropped}
    assert "no words for the content 'jump'" in why["dataset-1_jump_old_001"]
    assert "no words for the style 'cool'" in why["dataset-1_walk_cool_001"]
    assert "dataset-N" in why["notes.bvh"]
    assert len(why) == 4


def test_the_layout_of_the_original_repository_is_found(tmp_path):
    deep = tmp_path / "dataset" / "Bandai-Namco-Research-Motiondataset-2" / "data"
    deep.mkdir(parents=True)
    (deep / "dataset-2_run_youthful_004.bvh").touch()
    assert [item.id for item in BandaiNamco().items(tmp_path, Report(""))] == ["dataset-2_run_youthful_004"]


def test_cmu_rows_are_joined_with_their_captions(copy):
    report = Report("")
    items = {item.id: item for item in CMUHumanML3D().items(copy, report)}
    run = items["cmu_02_03_002586"]
    assert run.words.high[0] == "a person runs straight forward."
    assert (run.start, run.end, run.fps) == (0, 29, None)
    walk = next(item for item in items.values() if "39_03" in item.id)
    assert walk.path.endswith(".amc")
    assert walk.fps == 30.0  # from the lengths in index.csv: the format does not say
    assert len(items) == 6


def test_segments_of_one_trial_stay_together_where_the_official_lists_disagree(copy):
    texts = copy / "humanml3d"
    with (texts / "index.csv").open("a") as file:
        file.write("./pose_data/CMU/02/02_03_poses.npy,5,25,999999.npy\n")
    captions = json.loads((texts / "captions.json").read_text())
    (texts / "captions.json").write_text(json.dumps(captions | {"999999": ["a person runs", "a person runs"]}))
    for name in ("train", "val", "test"):
        ids = [id for id in (texts / f"{name}.txt").read_text().split() if id != "002586"]
        ids += {"train": ["002586"], "val": [], "test": ["999999"]}[name]
        (texts / f"{name}.txt").write_text("\n".join(ids))
    items = {item.id: item for item in CMUHumanML3D().items(copy, Report(""))}
    assert items["cmu_02_03_002586"].split == items["cmu_02_03_999999"].split == "test"
    assert items["cmu_02_03_999999"].words.high == ("a person runs",)


def test_what_cannot_be_joined_is_reported(copy):
    texts = copy / "humanml3d"
    captions = json.loads((texts / "captions.json").read_text())
    (texts / "captions.json").write_text(json.dumps({k: v for k, v in captions.items() if k != "002586"}))
    (copy / "cmu" / "99_99.bvh").touch()
    report = Report("")
    assert len(CMUHumanML3D().items(copy, report)) == 5
    why = {entry["what"]: entry["why"] for entry in report.dropped}
    assert "no caption" in why["cmu_02_03_002586"]
    assert "no row of index.csv" in why["99_99"]


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: (f / "humanml3d" / "captions.json").unlink(), "captions.json: cannot be read"),
        (lambda f: (f / "humanml3d" / "captions.json").write_text("["), "captions.json: is not JSON"),
        (lambda f: (f / "humanml3d" / "captions.json").write_text("[]"), "must map an id"),
        (lambda f: (f / "humanml3d" / "test.txt").unlink(), "test.txt: cannot be read"),
        (lambda f: (f / "humanml3d" / "index.csv").write_text("a,b\n1,2\n"), "index.csv: row 2 does not have"),
        (
            lambda f: (f / "humanml3d" / "index.csv").write_text(
                "source_path,start_frame,end_frame,new_name\n./pose_data/CMU/02/02_03_poses.npy,x,9,1.npy\n"
            ),
            "index.csv: row 2 does not have",
        ),
        (lambda f: shutil.rmtree(f / "cmu"), "no .bvh or .amc below"),
    ],
)
def test_a_broken_source_is_one_line(copy, break_it, message):
    break_it(copy)
    with pytest.raises(DataError, match=message) as caught:
        CMUHumanML3D().items(copy, Report(""))
    assert "\n" not in str(caught.value)


def test_the_joined_source_names_the_folder_that_is_missing(copy):
    with pytest.raises(DataError, match="has no folder 'bandai-namco'"):
        BandaiCMU().items(copy, Report(""))


def test_licences_go_into_the_prepared_folder(sample_dataset):
    assert "CC BY-NC 4.0" in sample_dataset.meta["licence"]
    assert "CMU" in sample_dataset.meta["licence"]


def test_the_rate_that_amc_files_are_read_at_is_told(copy):
    report = Report("")
    CMUHumanML3D().items(copy, report)
    assert report.notes == ["AMC files are at 30 fps by the lengths in index.csv"]
    (copy / "cmu" / "39_03.amc").unlink()
    report = Report("")
    CMUHumanML3D().items(copy, report)
    assert report.notes == []


def test_a_part_without_an_end_goes_to_the_end_of_its_trial(copy):
    texts = copy / "humanml3d"
    rows = (texts / "index.csv").read_text().splitlines()
    captions = json.loads((texts / "captions.json").read_text())
    added = {"000001": (3, 0), "000002": (0, -1), "000003": (0, 1)}
    rows += [f"./pose_data/CMU/02/02_03_poses.npy,{a},{b},{id}.npy" for id, (a, b) in added.items()]
    (texts / "index.csv").write_text("\n".join(rows) + "\n")
    (texts / "captions.json").write_text(json.dumps(captions | {id: ["a person runs", " "] for id in added}))
    items = {item.id: item for item in CMUHumanML3D().items(copy, Report(""))}
    found = {id: (items[f"cmu_02_03_{id}"].start, items[f"cmu_02_03_{id}"].end) for id in added}
    assert found == {"000001": (3, None), "000002": (0, None), "000003": (0, 1)}
    assert items["cmu_02_03_000001"].words.high == ("a person runs",)


def test_rows_of_other_trials_are_passed_over_and_none_at_all_is_an_error(copy):
    texts = copy / "humanml3d"
    head = "source_path,start_frame,end_frame,new_name\n"
    other = "./pose_data/CMU/02/02_99_poses.npy,0,9,000001.npy\n./pose_data/KIT/3/walk_poses.npy,0,9,000002.npy\n"
    (texts / "index.csv").write_text(head + other)
    with pytest.raises(DataError, match=r"no row of .*index\.csv names a trial below .*cmu"):
        CMUHumanML3D().items(copy, Report(""))
    (texts / "index.csv").write_text(head + other + "./pose_data/CMU/02/02_03_poses.npy,0,29,002586.npy\n")
    assert [item.id for item in CMUHumanML3D().items(copy, Report(""))] == ["cmu_02_03_002586"]


def test_a_rare_kind_is_worded_up_to_six_times_as_often():
    clips = (1, 5, 6, 7, 8, 10, 11, 13, 14, 20, 21, 40, 41, 500)
    times = (6, 6, 6, 5, 5, 4, 3, 3, 2, 2, 1, 1, 1, 1)
    assert [how_many_captions(count) for count in clips] == [HIGH_PER_CLIP * k for k in times]
