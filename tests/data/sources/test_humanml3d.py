"""The official layouts, made small."""

import json
from pathlib import Path

import numpy as np
import pytest

from motion_platform.core.errors import DataError
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.report import Report
from motion_platform.data.sources.humanml3d import HumanML3DFolder, KITMLFolder


@pytest.fixture
def official(tmp_path) -> Path:
    """HumanML3D as its authors publish it: five clips, two of them unusable."""
    root = tmp_path / "HumanML3D"
    (root / "new_joint_vecs").mkdir(parents=True)
    (root / "texts").mkdir()
    random = np.random.default_rng(0)

    def clip(id, frames, *lines, dim=263):
        np.save(root / "new_joint_vecs" / f"{id}.npy", random.normal(size=(frames, dim)).astype(np.float32))
        (root / "texts" / f"{id}.txt").write_text("\n".join(lines) + "\n")

    whole = "a person walks#a/DET person/NOUN walk/VERB#0.0#0.0"
    clip("000001", 120, whole, "someone walks forward#x#nan#nan", "a person turns left#x#1.0#4.5")
    clip("M000001", 120, whole.replace("walks", "walks right"))
    clip("000002", 39, whole)
    clip("000003", 200, whole)
    clip("000004", 199, "he runs#x#2.0#6.0", "he runs fast#x#2.0#6.0", "he stops#x#9.0#9.5")
    clip("M007975", 80, whole)
    x = np.load(root / "new_joint_vecs" / "M007975.npy")
    x[7, 3] = np.nan
    np.save(root / "new_joint_vecs" / "M007975.npy", x)
    (root / "train.txt").write_text("000001\nM000001\n000002\n000003\nM007975\n")
    (root / "val.txt").write_text("000004\n")
    (root / "test.txt").write_text("000005\n")
    return root


def test_clips_parts_and_everything_left_out(official, tmp_path):
    report = HumanML3DFolder().prepare(official, tmp_path / "out")
    dataset = PreparedDataset.open(tmp_path / "out")
    assert dataset.ids() == ["000001", "000001_20-90", "000004_40-120", "M000001"]
    assert dataset.frames.tolist() == [120, 70, 80, 120]
    assert dataset.captions(0)[0] == ["a person walks", "someone walks forward"]
    assert dataset.captions(1)[0] == ["a person turns left"]
    assert dataset.captions(2)[0] == ["he runs", "he runs fast"]
    assert [dataset.mirrored(i) for i in range(4)] == [False, False, False, True]
    assert [dataset.split(i) for i in range(4)] == ["train", "train", "val", "train"]
    stored = np.load(official / "new_joint_vecs" / "000001.npy")
    np.testing.assert_array_equal(dataset.features(1), stored[20:90])
    why = {entry["what"]: entry["why"] for entry in report.dropped}
    assert report.nan == ["M007975"]
    assert why["M007975"] == "NaN or infinite features"
    assert why["000002"] == "shorter than 40 frames"
    assert why["000003"] == "200 frames or longer"
    assert why["000004_180-190"] == "shorter than 40 frames"
    assert "no file" in why["000005"]
    assert any("23384" in note for note in report.notes)


def test_without_mirrored_copies_the_official_ones_are_left_out(official, tmp_path):
    HumanML3DFolder().prepare(official, tmp_path / "out", mirror=False)
    assert "M000001" not in PreparedDataset.open(tmp_path / "out").ids()


def test_bad_text_lines_and_bad_arrays_are_reported(official, tmp_path):
    (official / "texts" / "M000001.txt").write_text(
        "no tags at all\na man walks#x#0.0#0.0\n#x#0#0\nback#x#3#1\non#x#0.5#2.1e999\non#x#inf#inf\non#x#0.5#nan\n"
    )
    (official / "new_joint_vecs" / "000003.npy").write_bytes(b"not numpy")
    report = HumanML3DFolder().prepare(official, tmp_path / "out")
    what = [entry["what"] for entry in report.dropped]
    assert {"M000001.txt line 1", "M000001.txt line 3", "M000001.txt line 4"} <= set(what)
    assert {f"M000001.txt line {number}" for number in (5, 6, 7)} <= set(what)  # a time that is no time
    assert [entry["what"] for entry in report.failed] == ["000003"]
    dataset = PreparedDataset.open(tmp_path / "out")
    assert dataset.captions(dataset.index("M000001"))[0] == ["a man walks"]


def test_features_of_another_width_fail_and_say_so(official, tmp_path):
    for path in (official / "new_joint_vecs").glob("*.npy"):
        np.save(path, np.zeros((100, 251), np.float32))
    with pytest.raises(DataError, match=r"5 of 6|6 of 6"):
        HumanML3DFolder().prepare(official, tmp_path / "out")


@pytest.mark.parametrize("part", ["new_joint_vecs", "texts", "val.txt"])
def test_an_incomplete_folder_is_refused(official, tmp_path, part):
    (official / part).rename(tmp_path / "away")
    with pytest.raises(DataError, match=part):
        HumanML3DFolder().prepare(official, tmp_path / "out")


def test_kit_ml_is_the_same_at_its_own_rate(tmp_path):
    root = tmp_path / "KIT-ML"
    (root / "new_joint_vecs").mkdir(parents=True)
    (root / "texts").mkdir()
    for id, frames in (("00001", 24), ("00002", 23), ("00003", 199)):
        np.save(root / "new_joint_vecs" / f"{id}.npy", np.random.default_rng(1).normal(size=(frames, 251)))
        (root / "texts" / f"{id}.txt").write_text("A person walks.#a/DET#0.0#0.0\n")
    (root / "train.txt").write_text("00001\n00002\n00003\n")
    for name in ("val", "test"):
        (root / f"{name}.txt").write_text("")
    report = KITMLFolder().prepare(root, tmp_path / "out")
    dataset = PreparedDataset.open(tmp_path / "out")
    assert dataset.ids() == ["00001", "00003"]
    assert (dataset.fps, dataset.dim, dataset.spec().units) == (12.5, 251, "millimetre")
    assert report.too_short == ["00002"]
    assert "train.txt lists 3 clips (the official release: 4888)" in report.notes
    assert HumanML3DFolder.expected_train == 23384


def low_texts(folder: Path) -> dict[str, list[str]]:
    dataset = PreparedDataset.open(folder)
    return {id: dataset.captions(i)[1] for i, id in enumerate(dataset.ids())}


def test_low_level_text_of_files_beside_the_captions(official, tmp_path):
    (official / "babel_texts").mkdir()
    (official / "babel_texts" / "000001.txt").write_text("walk, turn right\nnot read\n")
    (official / "babel_texts" / "000004.txt").write_text("None\n")
    HumanML3DFolder().prepare(official, tmp_path / "out")
    assert low_texts(tmp_path / "out") == {
        "000001": ["walk, turn right"],
        "000001_20-90": ["walk, turn right"],
        "000004_40-120": ["he runs", "he runs fast"],
        "M000001": ["walk, turn left"],
    }
    HumanML3DFolder(low="none").prepare(official, tmp_path / "none")
    assert low_texts(tmp_path / "none")["000004_40-120"] == []


def test_without_any_low_level_text_the_captions_repeat_only_where_asked(official, tmp_path):
    report = HumanML3DFolder().prepare(official, tmp_path / "none")
    assert set(map(tuple, low_texts(tmp_path / "none").values())) == {()}
    assert "low-level text: from nowhere; where there is none, nothing" in report.notes
    HumanML3DFolder(low="repeat").prepare(official, tmp_path / "repeat")
    dataset = PreparedDataset.open(tmp_path / "repeat")
    assert all(high == low for high, low in map(dataset.captions, range(len(dataset))))


def test_low_level_text_of_babel_follows_the_parts(official, tmp_path):
    (official / "index.csv").write_text(
        "source_path,start_frame,end_frame,new_name\n./pose_data/KIT/3/a_poses.npy,0,120,000001.npy\n"
    )
    (tmp_path / "babel").mkdir()
    labels = [
        {"proc_label": "turn left", "start_t": 1.0, "end_t": 4.0},
        {"proc_label": "walk", "start_t": 0.0, "end_t": 1.0},
    ]
    record = {"feat_p": "KIT/KIT/3/a_poses.npz", "seq_ann": None, "frame_ann": {"labels": labels}}
    (tmp_path / "babel" / "val.json").write_text(json.dumps({"1": record}))
    report = HumanML3DFolder(babel=str(tmp_path / "babel")).prepare(official, tmp_path / "out")
    assert low_texts(tmp_path / "out") == {
        "000001": ["walk, turn left"],
        "000001_20-90": ["turn left"],
        "000004_40-120": ["he runs", "he runs fast"],
        "M000001": ["walk, turn right"],
    }
    assert any("BABEL labels 2 clips" in note for note in report.notes)
    (official / "index.csv").write_text("source_path,start_frame,end_frame,new_name\n")
    with pytest.raises(DataError, match="names a recording that"):
        HumanML3DFolder(babel=str(tmp_path / "babel")).prepare(official, tmp_path / "again")


def test_the_published_tokens_of_captions_reach_their_metric(official, tmp_path):
    """A caption that repeats its reference scores in full against tokens; three that do not, less."""
    from motion_platform.evaluation.testset import TestSet
    from motion_platform.metrics.caption import CaptionTokens

    HumanML3DFolder().prepare(official, tmp_path / "out", workers=1)
    dataset = PreparedDataset.open(tmp_path / "out")
    whole = dataset.index("000001")
    assert dataset.caption_tokens(whole)[0] == "a/DET person/NOUN walk/VERB"
    test = TestSet(dataset, "train", batch_size=8)
    batch = test.batch(test.batches[0], ())
    said = [" ".join(t.split("/")[0] for t in tokens[0].split()) for tokens in batch.raw["caption_tokens"]]
    right = CaptionTokens().state(said, batch).compute()
    assert right["caption_tokens_bleu_1"] == pytest.approx(1, abs=1e-6)
    for wrong in ("a dog barks", "", "walk person a walk person a"):
        assert CaptionTokens().state([wrong] * len(said), batch).compute()["caption_tokens_bleu_4"] < 0.5


@pytest.mark.parametrize(
    ("frames", "largest", "fate"),
    [(39, 1, "left out"), (40, 1e4, "kept"), (199, -1e4, "kept"), (200, 1, "left out"), (40, -1.001e4, "failed")],
)
def test_clips_have_40_to_199_frames_and_numbers_up_to_ten_thousand(official, tmp_path, frames, largest, fate):
    x = np.zeros((frames, 263), np.float32)
    x[3, 3] = largest
    np.save(official / "new_joint_vecs" / "000002.npy", x)
    report = HumanML3DFolder().prepare(official, tmp_path / "out")
    assert ("000002" in PreparedDataset.open(tmp_path / "out").ids()) == (fate == "kept")
    assert [entry["what"] for entry in report.failed] == (["000002"] if fate == "failed" else [])


def clip_of(root, id, frames, text, split="train"):
    np.save(root / "new_joint_vecs" / f"{id}.npy", np.ones((frames, 263), np.float32))
    (root / "texts" / f"{id}.txt").write_text(text)
    with (root / f"{split}.txt").open("a") as file:
        file.write(f"{id}\n")


def test_a_clip_that_is_listed_twice_counts_where_it_stands_first(official):
    with (official / "test.txt").open("a") as file:
        file.write("000001\n000004\n")
    report = Report("")
    items = {item.id: item for item in HumanML3DFolder().items(official, report)}
    assert (items["000001"].split, items["000004"].split) == ("train", "val")
    why = {entry["what"]: entry["why"] for entry in report.dropped}
    assert why["000001"] == "listed twice: in train.txt and in test.txt"
    assert why["000004"] == "listed twice: in val.txt and in test.txt"


def test_lines_that_say_nothing_are_passed_over_and_bad_ones_are_told(official, tmp_path):
    text = "\n \na person walks#a/DET#0.0#0.0\nno fields\n#x#0.0#0.0\nlate#x#-1.0#2.0\nback#x#3.0#2.0\n"
    text += "long#x#0.0#inf\nat once#x#2.0#2.0\nodd#x#a#b\n"
    clip_of(official, "000009", 60, text)
    clip_of(official, "000010", 60, "\n\n")
    report = HumanML3DFolder().prepare(official, tmp_path / "out")
    dataset = PreparedDataset.open(tmp_path / "out")
    assert dataset.captions(dataset.index("000009"))[0] == ["a person walks"]
    told = [entry["what"] for entry in report.dropped if "is not caption#tokens#from#to" in entry["why"]]
    assert told == [f"000009.txt line {number}" for number in (4, 5, 6, 7, 8, 10)]
    assert {"what": "000009_40-40", "why": "shorter than 40 frames"} in report.dropped
    assert {"what": "000010", "why": "no usable caption"} in report.dropped


@pytest.mark.parametrize(
    ("frames", "why"), [(39, "shorter than 40 frames"), (40, None), (199, None), (200, "200 frames or longer")]
)
def test_clips_have_40_to_199_frames(official, tmp_path, frames, why):
    clip_of(official, "000009", frames, "a person walks#a/DET#0.0#0.0\n")
    report = HumanML3DFolder().prepare(official, tmp_path / "out")
    found = {entry["what"]: entry["why"] for entry in report.dropped}.get("000009")
    assert found == why
    assert ("000009" in PreparedDataset.open(tmp_path / "out").ids()) == (why is None)


def test_features_beyond_all_motion_and_of_other_kinds_are_reported(official, tmp_path):
    from motion_platform.data.sources import humanml3d

    for id, values in {
        "000011": np.full((60, 263), humanml3d.LARGEST), "000012": np.full((60, 263), -1.01 * humanml3d.LARGEST),
        "000013": np.ones((60, 263), np.int32), "000014": np.ones((60, 262)), "000015": np.ones((60, 263, 1)),
    }.items():  # fmt: skip
        clip_of(official, id, 60, "a person walks#a/DET#0.0#0.0\n")
        np.save(official / "new_joint_vecs" / f"{id}.npy", values if values.dtype.kind == "i" else values.astype("f4"))
    found = {id: HumanML3DFolder().convert(item, True) for id, item in
             ((item.id, item) for item in HumanML3DFolder().items(official, Report("")))}  # fmt: skip
    assert not found["000011"].error
    assert "no motion has one beyond" in found["000012"].error
    for id in ("000013", "000014", "000015"):
        assert "not float (T, 263)" in found[id].error
