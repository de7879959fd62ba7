"""BABEL in its published format, made small: which labels a clip of HumanML3D gets."""

import json
from pathlib import Path

import pytest

from motion_platform.core.errors import DataError
from motion_platform.data import babel


def label(text: str, start: float, end: float) -> dict:
    return {"raw_label": text, "proc_label": text, "seg_id": "x", "act_cat": ["x"], "start_t": start, "end_t": end}


def record(path: str, *labels: dict, whole: str = "") -> dict:
    sequence = {"babel_lid": "x", "labels": [{"proc_label": whole, "act_cat": ["x"]}]} if whole else None
    frames = {"babel_lid": "y", "labels": list(labels)} if labels else None
    return {"babel_sid": 1, "url": "", "feat_p": path, "dur": 9.0, "seq_ann": sequence, "frame_ann": frames}


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "babel").mkdir()
    train = {
        "1": record(
            "KIT/KIT/3/a_poses.npz",
            label("turn left", 4.0, 6.0),
            label("walk", 0.0, 3.6),
            label("transition", 3.5, 4.0),
            label("bow", 6.0, 7.0),
        ),
        "2": record("EyesJapan/Eyes_Japan_Dataset/b/b_poses.npz", label("wave", 3.0, 5.0), label("sit", 5.0, 9.0)),
        "3": record("KIT/KIT/3/c_poses.npz", whole="dance  around"),
    }
    (tmp_path / "babel" / "train.json").write_text(json.dumps(train))
    several = {"feat_p": "KIT/KIT/3/d_poses.npz", "seq_anns": [], "frame_anns": []}
    several["frame_anns"] = [{"labels": [label("run", 0, 4)]}, {"labels": [label("jog", 0, 4)]}]
    (tmp_path / "babel" / "extra_val.json").write_text(json.dumps({"4": several}))
    (tmp_path / "index.csv").write_text(
        "source_path,start_frame,end_frame,new_name\n"
        "./pose_data/KIT/3/a_poses.npy,0,140,000001.npy\n"
        "./pose_data/KIT/3/a_poses.npy,60,128,000002.npy\n"
        "./pose_data/Eyes_Japan_Dataset/b/b_poses.npy,0,40,000003.npy\n"
        "./pose_data/KIT/3/c_poses.npy,0,50,000004.npy\n"
        "./pose_data/KIT/3/d_poses.npy,0,50,000005.npy\n"
        "./pose_data/KIT/3/unlabelled_poses.npy,0,50,000006.npy\n"
        "./pose_data/humanact12/humanact12/P11G01.npy,0,-1,000007.npy\n"
    )
    return tmp_path


def test_labels_in_order_cut_to_the_clip_and_moved_by_the_crop(folder):
    clips = {
        id: babel.sentence(of) for id, of in babel.join(folder / "index.csv", babel.read(folder / "babel")).items()
    }
    assert clips == {
        "000001": "walk, turn left, bow",
        "M000001": "walk, turn right, bow",
        "000002": "turn left",  # 3.0 to 6.4 s: 0.6 s of the walk and 0.4 s of the bow are too little
        "M000002": "turn right",
        "000003": "wave",  # HumanML3D cuts 3 s off: its 0 to 2 s are 3 to 5 s of the recording
        "M000003": "wave",
        "000004": "dance around",
        "M000004": "dance around",
        "000005": "run",  # the first of two people who looked at it
        "M000005": "run",
    }


def test_a_label_counts_where_half_of_it_or_half_of_the_part_is():
    labels = [babel.TimedLabel("walk", 0, 10), babel.TimedLabel("bow", 4, 6)]
    assert [x.text for x in babel.within(labels, 2, 4)] == ["walk"]
    assert [(x.text, x.start, x.end) for x in babel.within(labels, 3, 5)] == [("walk", -3, 7), ("bow", 1, 3)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r["1"].pop("feat_p"), r"train.json: record 1: no 'feat_p'; BABEL 1.0 is read"),
        (lambda r: r["1"].pop("frame_ann"), "no 'frame_ann'"),
        (lambda r: r["1"]["frame_ann"]["labels"][0].pop("proc_label"), "no 'proc_label'"),
        (lambda r: r["1"].update(frame_ann=[1]), "record 1"),
    ],
)
def test_a_file_of_another_version_is_one_line(folder, change, said):
    path = folder / "babel" / "train.json"
    records = json.loads(path.read_text())
    change(records)
    path.write_text(json.dumps(records))
    with pytest.raises(DataError, match=said) as caught:
        babel.read(folder / "babel")
    assert "\n" not in str(caught.value)


def test_what_is_no_babel_is_one_line(folder, tmp_path):
    with pytest.raises(DataError, match="is no folder"):
        babel.read(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds none of"):
        babel.read(tmp_path)
    (folder / "babel" / "train.json").write_text("[1]")
    with pytest.raises(DataError, match="is a list"):
        babel.read(folder / "babel")
    (folder / "index.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="row 2 does not have"):
        babel.join(folder / "index.csv", {})
    with pytest.raises(DataError, match="copy HumanML3D"):
        babel.join(folder / "no.csv", {})


@pytest.mark.parametrize(
    ("subset", "seconds"),
    [("Eyes_Japan_Dataset", 3.0), ("MPI_HDM05", 3.0), ("TotalCapture", 1.0), ("MPI_Limits", 1.0),
     ("Transitions_mocap", 0.5)],
)  # fmt: skip
def test_humanml3d_cuts_the_beginning_of_some_subsets(subset, seconds):
    """The lines "if 'Eyes_Japan_Dataset' in source_path: data = data[3 * fps:]" of its motion_representation."""
    assert babel.CROPPED[subset] == seconds
    assert (len(babel.CROPPED), babel.FPS) == (5, 20.0)


def test_a_label_belongs_to_a_part_from_half_of_it_on():
    for end, kept in ((2.0, 1), (1.99, 0)):  # half of a label of two seconds, of a long part
        assert len(babel.within([babel.TimedLabel("walk", 1.0, 3.0)], -5.0, end)) == kept
    for end, kept in ((1.5, 1), (1.49, 0)):  # half of a part of one second, of a long label
        assert len(babel.within([babel.TimedLabel("walk", 1.0, 9.0)], end - 1.0, end)) == kept
    (moved,) = babel.within([babel.TimedLabel("walk", 1.0, 3.0)], 0.5, 9.0)
    assert (moved.start, moved.end) == (0.5, 2.5)
    assert not babel.within([babel.TimedLabel("walk", 1.0, 1.0)], 1.0, 2.0)  # nothing is shared


def test_a_part_that_ends_nowhere_goes_to_the_end_and_one_of_no_length_has_no_label(folder):
    """Frame -1 is the end of the recording, 0 its beginning; paths with and without "pose_data"."""
    rows = ["./pose_data/KIT/3/a_poses.npy,80,-1,000011.npy", "KIT/3/a_poses.npy,0,0,000012.npy"]
    rows += ["KIT/3/a_poses.npy,0,72,000013.npy", "./other/KIT/3/a_poses.npy,0,-1,000014.npy"]
    (folder / "index.csv").write_text("source_path,start_frame,end_frame,new_name\n" + "\n".join(rows) + "\n")
    clips = babel.join(folder / "index.csv", babel.read(folder / "babel"))
    assert {id: babel.sentence(of) for id, of in clips.items() if id[0] != "M"} == {
        "000011": "turn left, bow", "000013": "walk",
    }  # fmt: skip
    assert [(label.start, label.end) for label in clips["000011"]] == [(0.0, 2.0), (2.0, 3.0)]


def test_annotators_of_frames_go_before_those_of_the_whole(tmp_path):
    """Either key alone makes a record of several; labels are in order of start, then of end."""
    whole = {"labels": [{"proc_label": "dance"}]}
    said = [("b", 1, 3), ("c", 1, 2), ("a", 0, 9), ("TRANSITION", 0, 1), (" ", 0, 1)]
    frames = {"labels": [label(*each) for each in said]}
    records = {
        "1": {"feat_p": "K/K/a.npz", "frame_anns": [None, frames]},
        "2": {"feat_p": "K/K/b.npz", "seq_anns": [whole, None]},
        "3": {"feat_p": "K/K/c.npz", "seq_anns": [whole], "frame_anns": None},
        "4": {"feat_p": "K/K/d.npz", "seq_ann": whole, "frame_ann": {"labels": [label("transition", 0, 1)]}},
        "5": {"feat_p": "K/K/e.npz", "seq_ann": whole, "frame_ann": frames},
    }  # fmt: skip
    (tmp_path / "train.json").write_text(json.dumps(records))
    read = babel.read(tmp_path)
    said = {
        name: [[(each.text, each.start, each.end) for each in of] for of in several] for name, several in read.items()
    }
    timed, endless = [("a", 0, 9), ("c", 1, 2), ("b", 1, 3)], [("dance", -float("inf"), float("inf"))]
    assert said == {"K/a": [timed], "K/b": [endless], "K/c": [endless], "K/d": [endless], "K/e": [timed]}
