"""The joined set with open licences: what each row says of its own, and what may be used commercially."""

import json
import shutil
from pathlib import Path

import pytest

from motion_platform.core.errors import DataError
from motion_platform.data.report import Report
from motion_platform.data.sources.cmu_humanml3d import CMUHumanML3D
from motion_platform.data.sources.open_motion import LICENCES, OpenMotion


@pytest.fixture
def source(tmp_path, sample_root: Path) -> Path:
    """The packaged clips as the three older folders, and a clip in each folder of ``open/``."""
    folder = tmp_path / "source"
    for part in ("bandai-namco", "cmu", "humanml3d"):
        shutil.copytree(sample_root / part, folder / part)
    clip = next((sample_root / "bandai-namco").glob("*_walk_normal_*"))
    rows = ["file,caption,content,start,end"]
    for name in LICENCES:
        (folder / "open" / name).mkdir(parents=True)
        shutil.copy(clip, folder / "open" / name / "walk.bvh")
        rows.append(f"{name}/walk.bvh,a person walks,walk,,")
    (folder / "open" / "captions.csv").write_text("\n".join(rows) + "\n")
    trials = {item.id.split("_", 1)[1].rsplit("_", 1)[0] for item in CMUHumanML3D().items(folder, Report(""))}
    shutil.copy(next((folder / "cmu").rglob("*.bvh")), folder / "cmu" / "99_01.bvh")
    (folder / "open" / "cmu_descriptions.json").write_text(
        json.dumps({"99_01": "jump; wave", **dict.fromkeys(trials, "known")})
    )
    return folder


def test_every_row_says_its_licence(source):
    items = OpenMotion().items(source, Report(""))
    own = {item.id: item.source for item in items if item.id.split("_")[0] in LICENCES}
    assert set(own) == {f"{name}_walk" for name in LICENCES}
    assert all(LICENCES[id.split("_")[0]] in said for id, said in own.items())
    assert any(item.id.startswith("dataset-2") for item in items)
    assert all(licence in OpenMotion().licence for licence in LICENCES.values())


def test_a_trial_without_a_caption_gets_cmus_own_sentence_and_others_do_not(source):
    items = {item.id: item for item in OpenMotion().items(source, Report(""))}
    assert items["cmu_99_01"].words.high == ("a person does: jump; wave",)
    assert not any("known" in text for item in items.values() for text in item.words.high)


def test_the_commercial_part_has_nothing_else(source):
    part = OpenMotion(parts="commercial")
    ids = {item.id.split("_")[0] for item in part.items(source, Report(""))}
    assert ids == {"accad", "mesh2motion", "cmu-more", "cmu"}
    assert not any(word in part.licence for word in ("NC", "BY-SA", "LGPL"))


def test_a_missing_folder_is_named(source):
    shutil.rmtree(source / "open")
    with pytest.raises(DataError, match="no folder 'open'"):
        OpenMotion().items(source, Report(""))


def test_kinds_are_the_only_labels_and_change_nothing_else(source):
    plain = {item.id: item for item in OpenMotion(parts="commercial").items(source, Report(""))}
    labelled = {item.id: item for item in OpenMotion(parts="commercial", kinds=True).items(source, Report(""))}
    assert plain.keys() == labelled.keys()
    assert labelled["cmu_99_01"].words.labels == {"content": "jump"}
    assert plain["cmu_99_01"].words.labels == {}
    assert {item.words.labels.get("content") for item in labelled.values()} >= {"walk", "jump"}
    for id, item in labelled.items():
        assert (item.words.high, item.split, item.source) == (plain[id].words.high, plain[id].split, plain[id].source)
