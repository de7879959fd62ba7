"""A person's own clips: three ways to say what they show, and errors that name the row."""

import json
import shutil
from pathlib import Path

import pytest

from motion_platform.core.errors import DataError, MotionPlatformError, UnknownName
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.report import Report
from motion_platform.data.sources.bvh_folder import BVHFolder


@pytest.fixture
def own(tmp_path, sample_root: Path) -> Path:
    """walk.bvh, jog.bvh and studio/wave.bvh."""
    folder = tmp_path / "own"
    (folder / "studio").mkdir(parents=True)
    made = sample_root / "bandai-namco"
    shutil.copy(next(made.glob("*_walk_normal_*")), folder / "walk.bvh")
    shutil.copy(next(made.glob("*_run_normal_*")), folder / "jog.bvh")
    shutil.copy(next(made.glob("*_wave-left-hand_normal_*")), folder / "studio" / "wave.bvh")
    return folder


def prepare(own, tmp_path, **settings):
    report = BVHFolder(**settings).prepare(own, tmp_path / "out")
    return report, PreparedDataset.open(tmp_path / "out")


def test_a_csv_with_all_columns(own, tmp_path):
    (own / "captions.csv").write_text(
        "file,caption,low,content,style,split,group,start,end\n"
        'walk.bvh,"a person walks, calmly",walk,walk,normal,train,anna,,\n'
        "walk.bvh,someone strolls,,,,,anna,,\n"
        "\n"
        "jog.bvh,a person jogs,run,run,normal,val,ben,5,35\n"
        "studio/wave.bvh,a person waves the left hand,wave left hand,,,test,anna,,\n",
        encoding="utf-8-sig",
    )
    report, dataset = prepare(own, tmp_path, licence="mine")
    assert dataset.ids() == ["jog", "jog_m", "studio_wave", "studio_wave_m", "walk", "walk_m"]
    row = dataset.index("walk")
    assert dataset.captions(row) == (["a person walks, calmly", "someone strolls"], ["walk"])
    assert dataset.labels(row) == {"content": "walk", "style": "normal"}
    assert [dataset.split(dataset.index(id)) for id in ("walk", "jog_m", "studio_wave")] == ["train", "val", "test"]
    assert dataset.frames[dataset.index("jog")] == 29
    assert dataset.captions(dataset.index("studio_wave_m"))[0] == ["a person waves the right hand"]
    assert dataset.meta["licence"] == "mine"
    assert report.files == 3


def test_a_json_and_bare_names(own, tmp_path):
    about = {
        "walk": "a person walks",
        "jog.bvh": ["a", "b"],
        "wave.bvh": {"captions": ["c"], "low": "wave", "split": "val"},
    }
    (own / "captions.json").write_text(json.dumps(about))
    _, dataset = prepare(own, tmp_path)
    assert dataset.captions(dataset.index("jog"))[0] == ["a", "b"]
    assert dataset.captions(dataset.index("studio_wave")) == (["c"], ["wave"])
    assert dataset.split(dataset.index("studio_wave")) == "val"


def test_text_files_beside_the_clips(own, tmp_path):
    (own / "walk.txt").write_text("a person walks#a/DET#0.0#0.0\n\nsomeone strolls\n")
    (own / "studio" / "wave.txt").write_text("a wave\n")
    report, dataset = prepare(own, tmp_path)
    assert dataset.captions(dataset.index("walk"))[0] == ["a person walks", "someone strolls"]
    assert [entry["what"] for entry in report.dropped] == ["jog.bvh"]


def test_parts_of_a_file_are_clips_of_one_split(own, tmp_path):
    (own / "captions.csv").write_text(
        "file,caption,start,end\nwalk.bvh,first half,0,30\nwalk.bvh,second half,30,60\nwalk.bvh,half two,30,60\n"
    )
    _, dataset = prepare(own, tmp_path)
    assert [id for id in dataset.ids() if not id.endswith("_m")] == ["walk_0-30", "walk_30-60"]
    assert dataset.captions(dataset.index("walk_30-60"))[0] == ["second half", "half two"]
    assert len({dataset.split(i) for i in range(len(dataset))}) == 1


def test_clips_of_one_group_are_in_one_split(tmp_path, sample_root):
    """A person must not be learnt and tested on: 10 persons with 4 files each."""
    walk = (sample_root / "bandai-namco" / "dataset-1_walk_normal_001.bvh").read_bytes()
    rows = ["file,caption,group"]
    for k in range(40):
        (tmp_path / f"clip{k:02d}.bvh").write_bytes(walk)
        rows.append(f"clip{k:02d}.bvh,a person walks,person {k % 10}")
    (tmp_path / "captions.csv").write_text("\n".join(rows) + "\n")
    items = BVHFolder().items(tmp_path, Report("own"))
    splits = {}
    for item in items:
        splits.setdefault(int(item.id[4:6]) % 10, set()).add(item.split)
    assert len(items) == 40
    assert all(len(found) == 1 for found in splits.values())
    assert len(set().union(*splits.values())) > 1


def test_a_whole_clip_may_stand_beside_its_parts(own, tmp_path):
    (own / "captions.csv").write_text(
        "file,caption,start,end\nwalk.bvh,a person walks,,\nwalk.bvh,a person sets off,0,30\nwalk.bvh,on,10,40\n"
    )
    _, dataset = prepare(own, tmp_path)
    assert {id for id in dataset.ids() if not id.endswith("_m")} == {"walk_0-30", "walk_0-end", "walk_10-40"}


def test_somebody_elses_label_is_not_read_by_bandai_namcos_convention(own, tmp_path):
    """ "right" in the label of a clip that waves the left hand: dropped there, a name like any other here."""
    (own / "captions.csv").write_text("file,caption,content\nstudio/wave.bvh,a person waves,right-hand-in-picture\n")
    _, dataset = prepare(own, tmp_path)
    assert dataset.ids() == ["studio_wave", "studio_wave_m"]


def test_two_files_of_one_name_have_two_ids(own, tmp_path, sample_root):
    shutil.copy(next((sample_root / "bandai-namco").glob("*_bow_angry_*")), own / "studio" / "walk.bvh")
    (own / "captions.json").write_text(json.dumps({"walk.bvh": "a walk", "studio/walk.bvh": "a bow"}))
    _, dataset = prepare(own, tmp_path)
    assert dataset.ids()[::2] == ["studio_walk", "walk"]


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("captions.csv", "clip,text\nwalk.bvh,x\n", DataError, "row 1: no column 'file'"),
        (
            "captions.csv",
            "file,caption,styel\nwalk.bvh,x,y\n",
            UnknownName,
            "row 1: unknown column 'styel'; did you mean 'style'",
        ),
        (
            "captions.csv",
            "file,caption\nwalk.bvh,x\nwalc.bvh,y\n",
            DataError,
            "row 3: there is no .*did you mean 'walk.bvh'",
        ),
        ("captions.csv", "file,caption\nwalk.bvh,a walk, slow\n", DataError, "row 2: has more fields"),
        ("captions.csv", "file,caption\nwalk.bvh,\n", DataError, "row 2: the caption of 'walk.bvh' is empty"),
        ("captions.csv", "file,caption,start\nwalk.bvh,x,soon\n", DataError, "row 2: start is 'soon'"),
        ("captions.csv", "file,caption,start,end\nwalk.bvh,x,9,9\n", DataError, "row 2: end 9 must be above start 9"),
        (
            "captions.csv",
            "file,caption,split\nwalk.bvh,x,trian\n",
            UnknownName,
            "row 2: unknown split 'trian'; did you mean 'train'",
        ),
        (
            "captions.csv",
            "file,caption,split\nwalk.bvh,x,val\nwalk.bvh,y,test\n",
            DataError,
            "row 3: .* 'val' by an earlier row",
        ),
        ("captions.csv", "", DataError, "row 1: no column 'file'"),
        ("captions.json", "{", DataError, "is not JSON"),
        ("captions.json", "[]", DataError, "must map a file"),
        ("captions.json", '{"walk.bvh": 3}', DataError, "'walk.bvh': captions must be a text"),
        ("captions.json", '{"walk.bvh": []}', DataError, "'walk.bvh': has no caption"),
        ("captions.json", '{"walk.bvh": {"caption": "x"}}', UnknownName, "did you mean 'captions'"),
        ("captions.json", '{"walk.bvh": {"captions": "x", "labels": 1}}', DataError, "labels must map"),
        ("captions.json", '{"nobody": "x"}', DataError, "no motion file 'nobody'"),
        ("notes.md", "x", DataError, "not one of 3 clips has a caption"),
    ],
)
def test_errors_say_where(own, tmp_path, name, text, error, message):
    (own / name).write_text(text)
    with pytest.raises(error, match=message) as caught:
        prepare(own, tmp_path)
    assert isinstance(caught.value, MotionPlatformError)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_another_name_of_the_captions_file(own, tmp_path):
    (own / "words.json").write_text(json.dumps({"walk": "a walk"}))
    _, dataset = prepare(own, tmp_path, captions="words.json")
    assert dataset.ids()[0] == "walk"
    with pytest.raises(DataError, match=r"no captions file .*more\.csv"):
        BVHFolder(captions="more.csv").prepare(own, tmp_path / "out2")


def test_a_folder_without_motion_says_what_is_readable(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"readable: .*\.bvh"):
        BVHFolder().prepare(tmp_path / "empty", tmp_path / "out")
    (tmp_path / "latin").mkdir()
    (tmp_path / "latin" / "captions.csv").write_bytes(b"file,caption\nx,\xe9\xe8\n")
    (tmp_path / "latin" / "a.bvh").touch()
    with pytest.raises(DataError, match="cannot be read as UTF-8"):
        BVHFolder().prepare(tmp_path / "latin", tmp_path / "out")


def test_files_of_one_name_keep_their_endings_and_a_bare_name_of_two_is_refused(own, tmp_path):
    shutil.copy(own / "walk.bvh", own / "studio" / "walk.bvh")
    (own / "captions.json").write_text(json.dumps({"walk.bvh": "a", "studio/walk.bvh": "b", "jog": "c"}))
    report = Report("")
    items = BVHFolder().items(own, report)
    assert [item.id for item in items] == ["jog", "studio_walk", "walk"]
    assert [entry["what"] for entry in report.dropped] == ["studio/wave.bvh"]
    shutil.copy(own / "walk.bvh", own / "walk.BVH")
    ids = [item.id for item in BVHFolder().items(own, Report(""))]
    assert ids == ["jog", "studio_walk", "walk.bvh"]
    (own / "studio" / "more").mkdir()
    shutil.copy(own / "studio" / "wave.bvh", own / "studio" / "more" / "wave.bvh")
    (own / "captions.json").write_text(json.dumps({"wave.bvh": "a"}))
    with pytest.raises(
        DataError, match=r"'wave.bvh' could be studio/more/wave\.bvh or studio/wave\.bvh; write the path"
    ):
        BVHFolder().items(own, Report(""))


def test_an_empty_text_beside_a_clip_says_nothing(own):
    (own / "walk.txt").write_text(" \n#a/DET\n\n")
    (own / "jog.txt").write_text("a person jogs#a/DET person/NOUN\n\n someone runs \n")
    report = Report("")
    items = BVHFolder().items(own, report)
    assert [(item.id, item.words.high) for item in items] == [("jog", ("a person jogs", "someone runs"))]
    assert (items[0].start, items[0].end) == (0, None)
    assert [entry["what"] for entry in report.dropped] == ["studio/wave.bvh", "walk.bvh"]
    (own / "jog.txt").unlink()
    with pytest.raises(DataError, match="not one of 3 clips has a caption"):
        BVHFolder().items(own, Report(""))


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [("-1", "", "start is '-1'; it must be a frame number"), ("x", "", "start is 'x'"), ("1.5", "", "start is '1.5'"),
     ("5", "5", "end 5 must be above start 5"), ("5", "4", "end 4 must be above start 5"), ("", "0", "end 0 must be"),
     ("0", "1", None), ("", "", None)],
)  # fmt: skip
def test_a_part_has_frames_from_zero_on_and_an_end_behind_its_start(own, start, end, said):
    (own / "captions.csv").write_text(f"file,caption,start,end\njog.bvh,a person jogs,{start},{end}\n")
    if said:
        with pytest.raises(DataError, match=rf"captions\.csv: row 2: {said}"):
            BVHFolder().items(own, Report(""))
    else:
        (item,) = BVHFolder().items(own, Report(""))
        assert (item.start, item.end) == (0, int(end) if end else None)


def test_parts_of_one_clip_are_called_by_their_frames_a_whole_after_its_beginnings(own):
    rows = ["jog.bvh,a,,", "jog.bvh,b,10,20", "jog.bvh,c,0,10", "walk.bvh,d,,"]
    (own / "captions.csv").write_text("file,caption,start,end\n" + "\n".join(rows) + "\n")
    ids = [item.id for item in BVHFolder().items(own, Report(""))]
    assert ids == ["jog_0-10", "jog_0-end", "jog_10-20", "walk"]


def test_only_the_last_ending_is_left_out_of_a_name(own):
    """Dots and folders are part of a name; a bare name means the file with or without its ending."""
    shutil.copy(own / "walk.bvh", own / "studio" / "take.1.a.bvh")
    shutil.copy(own / "walk.bvh", own / "take.1.b.bvh")
    said = {"take.1.a.bvh": "a", "take.1.b": "b", "studio/wave": "c"}
    (own / "captions.json").write_text(json.dumps(said))
    report = Report("")
    items = BVHFolder().items(own, report)
    assert [(item.id, item.source, item.words.high) for item in items] == [
        ("studio_take.1.a", "studio/take.1.a.bvh", ("a",)), ("studio_wave", "studio/wave.bvh", ("c",)),
        ("take.1.b", "take.1.b.bvh", ("b",)),
    ]  # fmt: skip
    assert [entry["what"] for entry in report.dropped] == ["jog.bvh", "walk.bvh"]
    shutil.copy(own / "walk.bvh", own / "take.1.bvh")  # not of the same name
    assert "take.1.b" in [item.id for item in BVHFolder().items(own, Report(""))]


@pytest.mark.parametrize(
    ("name", "near"), [("jogging_x.bvh", "jog.bvh"), ("walk_2.bvh", "walk.bvh"), ("zzzz", None), ("q.c3d", None)]
)
def test_a_file_that_is_not_there_is_answered_with_one_of_a_like_name_alone(own, name, near):
    (own / "captions.json").write_text(json.dumps({name: "a"}))
    hint = f"; did you mean '{near}'?" if near else ""
    with pytest.raises(DataError) as caught:
        BVHFolder().items(own, Report(""))
    assert str(caught.value).endswith(f"there is no motion file '{name}' below the folder{hint}")


def test_settings_and_groups_reach_the_clips(own):
    rows = ["walk.bvh,a,val,anna", "walk.bvh,a,val,", "jog.bvh,b,,anna", "studio/wave.bvh,c,,"]
    (own / "captions.csv").write_text("file,caption,split,group\n" + "\n".join(rows) + "\n")
    items = {item.id: item for item in BVHFolder(fps=25.0, repeats=True).items(own, Report(""))}
    assert items["walk"].words.high == ("a",)
    assert {(item.fps, item.repeats) for item in items.values()} == {(25.0, True)}
    assert (items["walk"].split, items["jog"].split) == ("val", "train")  # of two groups all is for training
    plain = BVHFolder().items(own, Report(""))
    assert {(item.fps, item.repeats, item.start, item.end) for item in plain} == {(None, False, 0, None)}
    (own / "captions.csv").unlink()
    (own / "captions.json").write_text(json.dumps({"walk.bvh": {"captions": "x", "labels": {"style": 3}}}))
    with pytest.raises(DataError, match=r"'walk.bvh': labels must map a name to a text, got \{'style': 3\}"):
        BVHFolder().items(own, Report(""))


def test_parts_and_words_of_a_json(own):
    about = {
        "captions": [" a ", ""],
        "low": ["b", " "],
        "labels": {"style": "sad"},
        "start": 5,
        "end": "35",
        "group": 7,
    }
    (own / "captions.json").write_text(json.dumps({"walk": about, "jog.bvh": {"captions": "c", "end": 30}}))
    jog, walk = BVHFolder().items(own, Report(""))
    assert (walk.start, walk.end, walk.id) == (5, 35, "walk")
    assert (walk.words.high, walk.words.low, walk.words.labels) == (("a",), ("b",), {"style": "sad"})
    assert (jog.start, jog.end, jog.words.low, jog.words.labels) == (0, 30, (), {})
