"""BEAT and BEAT2 folders in the published layouts: emotions by number, words, SMPL-X's joints, and what is refused."""

import numpy as np
import pytest
from speech_folders import grid, talking, tone

from motion_platform.core.errors import DataError
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.report import Report
from motion_platform.data.sources.beat import EMOTIONS, Beat, Beat2, emotion_of, read_smplx
from motion_platform.motion import io
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import get_skeleton

HANDS = get_skeleton("humanml3d_hands")


def take(root, name, seconds=2.0):
    place = root / name.split("_")[0] / f"{name}.bvh"
    place.parent.mkdir(exist_ok=True)
    io.save([talking(get_skeleton("beat"), round(120 * seconds), 120)], place)
    tone(place.with_suffix(".wav"), seconds)
    grid(place.with_suffix(".TextGrid"), seconds)
    return place


def poses(path, frames=60, rate=30, bad=None):
    """A BEAT2 file: one finger joint bends about Z, the body turns about Y."""
    turns = np.zeros((frames, 55, 3), np.float32)
    turns[:, 0, 1] = np.linspace(0, 1, frames)
    turns[:, 25 + 3, 2] = np.linspace(0, -0.8, frames)  # left_middle1
    if bad is not None:
        turns[bad] = np.nan
    trans = np.repeat([[0.1, 1.2, 0.0]], frames, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, poses=turns.reshape(frames, 165), trans=trans, betas=np.zeros(300), mocap_frame_rate=rate)
    return turns


def test_beat_is_read_with_emotions_speakers_and_words(tmp_path):
    take(tmp_path, "2_scott_0_1_1")
    take(tmp_path, "2_scott_0_66_66")
    take(tmp_path, "10_kieks_1_3_3")
    report = Beat(speakers=[2]).prepare(tmp_path, tmp_path / "out", workers=1)
    dataset = PreparedDataset.open(tmp_path / "out")
    assert report.clips == 2
    assert dataset.ids() == ["2_scott_0_1_1", "2_scott_0_66_66"]
    assert [dataset.labels(i)["emotion"] for i in range(2)] == ["neutral", "happiness"]
    assert dataset.labels(0)["speaker"] == "2_scott"
    assert (dataset.representation, dataset.dim, dataset.frames.tolist()) == ("beat", 1141, [40, 40])
    assert [word.text for word in dataset.audio(0).words] == ["me", "too"]
    clip = io.load(tmp_path / "2" / "2_scott_0_1_1.bvh")
    at = [clip.skeleton.index(joint) for joint in get_skeleton("beat").joints]
    joints = get_representation("beat").to_joints(dataset.features(0))
    assert np.abs(joints - clip.joints[::6][:, at]).max() < 1e-4


@pytest.mark.parametrize(
    ("part", "number", "emotion"),
    [(0, 64, "neutral"), (0, 65, "happiness"), (2, 80, "anger"), (0, 118, "disgust"), (1, 70, "neutral")],
)  # fmt: skip
def test_numbers_say_the_emotion(part, number, emotion):
    assert emotion_of(part, number) == emotion


def beat2(root, name="2_scott_0_1_1", **more):
    turns = poses(root / "smplxflame_30" / f"{name}.npz", **more)
    tone(root / "wave16k" / f"{name}.wav", 2.0)
    grid(root / "textgrid" / f"{name}.TextGrid", 2.0)
    return turns


def test_beat2_is_read_finger_by_finger(tmp_path):
    turns = beat2(tmp_path)
    beat2(tmp_path, "2_scott_0_2_2")
    (tmp_path / "train_test_split.csv").write_text("id,type\n2_scott_0_1_1,train\n2_scott_0_2_2,test\n")
    clip = read_smplx(tmp_path / "smplxflame_30" / "2_scott_0_1_1.npz")
    assert clip.fps == 30
    np.testing.assert_allclose(clip.joints[0, 0], [0.103, 0.849, 0.012], atol=1e-6)  # of SMPL-X's mean body
    j = HANDS.index("left_middle1")
    angle = 2 * np.arcsin(np.linalg.norm(clip.rotations[:, j, :3], axis=-1))
    np.testing.assert_allclose(angle, np.abs(turns[:, 28, 2]), atol=1e-3)
    bent = clip.joints[-1, HANDS.index("left_middle3"), 1] - clip.joints[-1, j, 1]
    assert bent < -0.03  # the palm looks down, so a finger bends down
    Beat2().prepare(tmp_path, tmp_path / "out", workers=1)
    dataset = PreparedDataset.open(tmp_path / "out")
    assert [dataset.split(i) for i in range(2)] == ["train", "test"]
    assert (dataset.representation, dataset.dim) == ("gesture", 796)
    assert dataset.frames[0] == 40
    joints = get_representation("gesture").to_joints(dataset.features(0))
    np.testing.assert_allclose(joints[::2], clip.joints[::3][: len(joints[::2])], atol=1e-4)


def test_files_of_another_kind_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"beat: no \.bvh below"):
        Beat().prepare(tmp_path, tmp_path / "out", workers=1)
    with pytest.raises(DataError, match=r"beat2: no smplxflame_30/\*\.npz"):
        Beat2().prepare(tmp_path, tmp_path / "out", workers=1)
    place = tmp_path / "smplxflame_30" / "2_scott_0_1_1.npz"
    poses(place, bad=7)
    with pytest.raises(DataError, match=r"beat2: 1 motion files in .*, but none has its recording .*wave16k"):
        Beat2().prepare(tmp_path, tmp_path / "out", workers=1)
    with pytest.raises(DataError, match="frame 7 has a NaN"):
        read_smplx(place)
    np.savez(place, poses=np.zeros((5, 72)), trans=np.zeros((5, 3)))
    with pytest.raises(DataError, match=r"poses \(5, 72\), trans \(5, 3\); \(T, 165\) and \(T, 3\) are needed"):
        read_smplx(place)
    place.write_text("no arrays")
    with pytest.raises(DataError, match="is no BEAT2 file"):
        read_smplx(place)
    tone(tmp_path / "wave16k" / "2_scott_0_1_1.wav", 2.0)
    take(tmp_path, "2_scott_0_1_1").with_suffix(".wav").unlink()
    with pytest.raises(DataError, match="but none has its recording"):
        Beat().prepare(tmp_path, tmp_path / "out", workers=1)


def test_names_that_are_none_are_told_and_take_no_part(tmp_path):
    take(tmp_path, "2_scott_0_1_1")
    for name in ("scott_0_1_1", "2_scott_0_1", "notes"):
        path = tmp_path / "2" / f"{name}.bvh"
        path.touch()
        path.with_suffix(".wav").touch()
    report = Report("")
    items = Beat(speakers=[2]).items(tmp_path, report)
    assert [item.id for item in items] == ["2_scott_0_1_1"]
    assert {entry["why"] for entry in report.dropped} == {"the name is not SPEAKER_name_PART_FIRST_LAST"}
    assert len(report.dropped) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [("name,type\nx,train\n", "needs the columns id and type, got name, type"), (None, None), ("id,kind\n", None)],
)
def test_the_official_split_is_read_where_it_is_there(tmp_path, text, said):
    beat2(tmp_path)
    if text is not None:
        (tmp_path / "train_test_split.csv").write_text(text)
    if said:
        with pytest.raises(DataError, match=said):
            Beat2().items(tmp_path, Report(""))
    else:
        assert len(Beat2().items(tmp_path, Report(""))) == 1
    (tmp_path / "train_test_split.csv").write_text("id,type\n2_scott_0_1_1,additional\n")
    assert Beat2().splits(tmp_path) == {}
    (tmp_path / "train_test_split.csv").write_text("id,type\n2_scott_0_1_1,val\nother,test\n", encoding="utf-8-sig")
    assert Beat2().splits(tmp_path) == {"2_scott_0_1_1": "val", "other": "test"}
    assert [item.split for item in Beat2().items(tmp_path, Report(""))] == ["val"]


def test_each_emotion_begins_and_ends_where_the_paper_says():
    """Eight takes an emotion, of the solo parts; what is in no range is neutral."""
    ends = sorted(EMOTIONS.items(), key=lambda entry: entry[1])
    for name, (low, high) in ends:
        assert {emotion_of(0, number) for number in range(low, high + 1)} == {name}
        assert {emotion_of(2, low), emotion_of(1, low), emotion_of(3, high)} == {name, "neutral"}
    borders = [number for _, (low, high) in ends for number in (low - 1, high + 1)]
    inside = {number for _, (low, high) in ends for number in range(low, high + 1)}
    assert {emotion_of(0, number) for number in borders if number not in inside} == {"neutral"}
    assert emotion_of(0, 1000) == "neutral"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"poses": np.zeros((3, 164)), "trans": np.zeros((3, 3))}, r"poses \(3, 164\), trans \(3, 3\); \(T, 165\)"),
        ({"poses": np.zeros((3, 165, 1)), "trans": np.zeros((3, 3))}, r"poses \(3, 165, 1\)"),
        ({"poses": np.zeros((3, 165)), "trans": np.zeros((2, 3))}, r"trans \(2, 3\)"),
        ({"poses": np.zeros((3, 165)), "trans": np.full((3, 3), np.inf)}, "frame 0 has a NaN or infinite value"),
        ({"poses": np.zeros((3, 165))}, "is no BEAT2 file"),
        ({"poses": np.full((3, 165), "a"), "trans": np.zeros((3, 3))}, "is no BEAT2 file"),
    ],
)
def test_files_of_other_shapes_are_refused(tmp_path, changes, said):
    np.savez(tmp_path / "a.npz", **changes)
    with pytest.raises(DataError, match=said):
        read_smplx(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", poses=np.zeros((3, 165)), trans=np.zeros((3, 3)))
    assert read_smplx(tmp_path / "b.npz").fps == 30


def test_the_body_turns_as_smplx_says_and_jaw_and_eyes_are_left_out(tmp_path):
    """Joints of random poses against scipy's rotations, chained here; the rate is that of the file."""
    from scipy.spatial.transform import Rotation

    random = np.random.default_rng(0)
    turns, trans = random.normal(0, 0.6, (4, 55, 3)), random.normal(0, 1, (4, 3))
    np.savez(tmp_path / "a.npz", poses=turns.reshape(4, 165), trans=trans, mocap_frame_rate=60)
    clip = read_smplx(tmp_path / "a.npz")
    assert (clip.fps, clip.name, len(clip)) == (60.0, "a", 4)
    kept = [*range(22), *range(25, 55)]
    for frame in range(4):
        world, places = [], []
        for k, parent in enumerate(HANDS.parents):
            own = Rotation.from_rotvec(turns[frame, kept[k]])
            assert (Rotation.from_quat(clip.rotations[frame, k]) * own.inv()).magnitude() < 1e-5
            root = trans[frame] + [0.003, -0.351, 0.012]
            places.append(root if k == 0 else places[parent] + world[parent].apply(HANDS.offsets[k]))
            world.append(own if k == 0 else world[parent] * own)
        np.testing.assert_allclose(clip.joints[frame], places, atol=1e-5)


def test_speakers_and_takes_are_told_apart(tmp_path):
    for name in ("2_scott_0_1_1", "22_scott_0_1_1", "2_scott_1_70_70", "2_scott_2_70_70", "x2_scott_0_1_1"):
        path = tmp_path / f"{name}.bvh"
        path.touch()
        path.with_suffix(".wav").touch()
    report = Report("")
    items = {item.id: item for item in Beat(speakers=[2]).items(tmp_path, report)}
    assert {id: item.words.labels["emotion"] for id, item in items.items()} == {
        "2_scott_0_1_1": "neutral", "2_scott_1_70_70": "neutral", "2_scott_2_70_70": "happiness",
    }  # fmt: skip
    why = {entry["what"]: entry["why"] for entry in report.dropped}
    assert why["22_scott_0_1_1.bvh"] == "speaker 22 is not asked for"
    assert len(Beat().items(tmp_path, Report(""))) == 4
    assert Beat().transcript(tmp_path / "2_scott_0_1_1.bvh") is None
