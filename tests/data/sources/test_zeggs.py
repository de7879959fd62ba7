"""A ZeroEGGS folder: what is read, what is held out, what is stored of sound and words, and what is refused."""

import numpy as np
import pytest
from speech_folders import talking, tone, zeggs_folder

from motion_platform.core.errors import DataError, UnknownName
from motion_platform.core.schema import Word
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.report import Report
from motion_platform.data.sources.zeggs import Zeggs
from motion_platform.motion import io
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import get_skeleton


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return zeggs_folder(tmp_path_factory.mktemp("zeggs"), styles=("Happy", "Sad", "Laughing"))


@pytest.fixture(scope="module")
def prepared(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "zeggs"
    report = Zeggs().prepare(folder, out, workers=1)
    return PreparedDataset.open(out), report


def test_takes_emotions_and_splits(prepared):
    dataset, report = prepared
    assert dataset.ids() == [
        "001_Happy_0_x_1_0", "002_Sad_0_x_1_0", "004_Happy_0_x_1_0", "005_Sad_0_x_1_0",
    ]  # fmt: skip
    assert [dataset.split(i) for i in range(4)] == ["train", "train", "test", "val"]
    assert [dataset.labels(i)["emotion"] for i in range(4)] == ["happy", "sad", "happy", "sad"]
    assert dataset.frames.tolist() == [100] * 4
    assert (dataset.dim, dataset.fps) == (1141, 20.0)
    assert sum("Laughing is not asked for" in str(each) for each in report.dropped) == 2


def test_features_are_those_of_the_file(prepared, folder):
    dataset, _ = prepared
    clip = io.load(folder / "train" / "001_Happy_0_x_1_0.bvh")
    at = [clip.skeleton.index(joint) for joint in get_skeleton("zeggs").joints]
    joints = get_representation("zeggs").to_joints(dataset.features(0))
    assert np.abs(joints - clip.joints[::3][:, at]).max() < 1e-4


def test_sound_and_words_keep_time_with_every_window(prepared):
    dataset, _ = prepared
    whole = dataset.audio(0)
    assert (whole.rate, len(whole.samples), whole.seconds) == (16_000, 80_000, 5.0)
    assert whole.words == (Word("me", 0.4, 0.9), Word("too", 0.9, 5.0))
    part = dataset.audio(0, start=14, frames=10)
    np.testing.assert_array_equal(part.samples, whole.samples[14 * 800 : 24 * 800])
    assert [(w.text, round(w.start, 4), round(w.end, 4)) for w in part.words] == [("me", 0.0, 0.2), ("too", 0.2, 0.5)]
    assert dataset.audio(1).words == ()
    time = np.arange(16_000) / 16_000
    tone = 0.2 * np.sin(2 * np.pi * 220 * time) * (1 + np.sin(4 * np.pi * time))
    np.testing.assert_allclose(whole.samples[:16_000], tone, atol=1e-3)


def test_info_csv_says_what_is_held_out(folder, tmp_path):
    for path in sorted(folder.rglob("*_0_x_1_0.*")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    rows = ["001_Happy_0.bvh,TRUE", "002_Sad_0.bvh,FALSE", "004_Happy_0.bvh,FALSE", "005_Sad_0.bvh,FALSE"]
    (tmp_path / "info.csv").write_text("anim_bvh,validation\n" + "\n".join(rows))
    report = Zeggs().prepare(tmp_path, tmp_path / "out", workers=1)
    assert report.splits == {"train": 3, "val": 0, "test": 1}


def one(tmp_path, skeleton="zeggs", seconds=3.0, sound=3.0):
    """A folder of one take."""
    place = tmp_path / "train" / "001_Happy_0.bvh"
    place.parent.mkdir()
    io.save([talking(get_skeleton(skeleton), round(60 * seconds), 60)], place)
    if sound:
        tone(place.with_suffix(".wav"), sound)
    return place


def test_a_folder_without_its_recordings_is_refused(tmp_path):
    one(tmp_path, sound=0)
    with pytest.raises(DataError, match=r"zeggs: 1 motion files in .*, but none has its recording \(for 001_Happy_0"):
        Zeggs().prepare(tmp_path, tmp_path / "out", workers=1)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("joints", "has 52 joints, but not Hips, Spine, Spine1 and 72 more of skeleton zeggs"),
        ("length", "motion lasts 3.0 s and its recording 9.0 s: they are not of one take"),
        ("nan", "is not a finite number"),
        ("grid", "it is of another recording"),
    ],
)
def test_what_does_not_belong_together_is_refused(tmp_path, broken, why):
    place = one(
        tmp_path, "humanml3d_hands" if broken == "joints" else "zeggs", sound=9.0 if broken == "length" else 3.0
    )
    if broken == "nan":
        lines = place.read_text().splitlines()
        lines[-1] = "nan " + lines[-1].partition(" ")[2]
        place.write_text("\n".join(lines))
    if broken == "grid":
        from speech_folders import grid

        grid(place.with_suffix(".TextGrid"), 60)
    with pytest.raises(DataError, match="1 of 1 clips failed, so nothing was written") as error:
        Zeggs().prepare(tmp_path, tmp_path / "out", workers=1)
    assert why in str(error.value)
    assert not (tmp_path / "out").exists()


def test_an_unknown_style_is_named(tmp_path):
    with pytest.raises(UnknownName, match="unknown style 'happpy'; did you mean 'Happy'"):
        Zeggs(styles=["happpy"])
    with pytest.raises(DataError, match=r"no \.bvh below"):
        Zeggs().prepare(tmp_path, tmp_path / "out", workers=1)


def items_of(tmp_path, *names, info=None, styles=None):
    """The takes of a folder of empty files, and what was left out."""
    for name in names:
        path = tmp_path / f"{name}.bvh"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        path.with_suffix(".wav").touch()
    if info is not None:
        (tmp_path / "info.csv").write_text(info, encoding="utf-8-sig")
    report = Report("")
    items = Zeggs(styles).items(tmp_path, report)
    return {item.id: item.split for item in items}, {entry["what"]: entry["why"] for entry in report.dropped}


def test_without_a_list_every_eighth_take_of_a_style_is_held_out(tmp_path):
    names = [f"{k:03d}_{style}_{k}" for style in ("Happy", "Sad") for k in range(17)]
    splits, _ = items_of(tmp_path, *names)
    held = [name for name, split in splits.items() if split != "train"]
    assert held == ["007_Happy_7", "015_Happy_15", "007_Sad_7", "015_Sad_15"]
    assert [splits[name] for name in held] == ["test", "val", "test", "val"]


def test_the_folder_says_it_before_the_list_and_the_list_before_the_count(tmp_path):
    info = "anim_bvh,validation\n001_Happy_0.bvh,TRUE\n002_Happy_0.bvh, true \n003_Happy_0.bvh,FALSE\nnotes,TRUE\n"
    splits, _ = items_of(
        tmp_path, "train/001_Happy_0", "002_Happy_0", "valid_x/003_Happy_0", *(f"{k:03d}_Happy_0" for k in range(4, 9)),
        info=info,
    )  # fmt: skip
    assert splits["001_Happy_0"] == "train"
    assert splits["003_Happy_0"] != "train"
    assert splits["002_Happy_0"] != "train"
    assert sum(split != "train" for split in splits.values()) == 2


def test_names_and_styles_that_are_none_are_told(tmp_path):
    splits, why = items_of(tmp_path, "001_Happy_0", "Happy", "002_Laughing_0", styles=["HAPPY"])
    assert set(splits) == {"001_Happy_0"}
    assert why == {
        "Happy.bvh": "the name is not NNN_Style_K.bvh",
        "002_Laughing_0.bvh": "style Laughing is not asked for",
    }
    assert set(items_of(tmp_path, "001_Happy_0", styles=["laughing", "happy"])[0]) == {"001_Happy_0", "002_Laughing_0"}


def test_a_list_without_its_columns_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"info\.csv: needs the columns anim_bvh and validation, got a, validation"):
        items_of(tmp_path, "001_Happy_0", info="a,validation\nx,TRUE\n")
    assert items_of(tmp_path, "001_Happy_0", info="a,validation\n")[0] == {"001_Happy_0": "train"}  # no row, no word
