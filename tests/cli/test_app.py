from __future__ import annotations

from pathlib import Path

import pytest

from motion_platform.cli import generate as generating


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["generaet"], 2, ["generaet"]),
        (["generate"], 2, ["'task'"]),
        (["list", "tasksz"], 2, ["'tasksz'", "did you mean 'tasks'?"]),
        (["generate", "text_to_motion", "--text", "x", "-o", "a.htm"], 2, [".htm", ".html"]),
        (["generate", "text_to_motion", "--text", "x", "-o", "no/such/folder/a.html"], 2, ["no/such/folder"]),
        (["generate", "text_to_motion", "-o", "a.html"], 2, ["--text", "missing"]),
        (["generate", "text_to_motoin", "--text", "x", "-o", "a.html"], 2, ["did you mean 'text_to_motion'"]),
        (["generate", "text_to_motion", "--text", "x", "-o", "a.html", "--model", "nope"], 2, ["'nope'"]),
        (["generate", "text_to_motion", "--text", "x", "-o", "a.html", "--seed", "x"], 2, ["--seed", "integer"]),
        (["generate", "text_to_motion", "--text-file", "none.txt", "-o", "a.html"], 2, ["none.txt"]),
        (["generate", "text_to_motion", "--text", "x", "--device", "tpu9", "-o", "a.html"], 2, ["tpu9"]),
        (["convert", "a.bvh", "a.npz", "--names", "n.yaml"], 2, ["--names: is for --retarget"]),
        (["search", "--text", "x", "--names", "n.yaml"], 2, ["--names: is for --motion"]),
        (["info", "nope"], 1, ["nope: no such file or folder"]),
        (["data", "info", "nope"], 1, ["nope: no such file or folder"]),
        (["train", "nope"], 2, ["unknown recipe 'nope'"]),
        (["train", "smoke/recogniser", "train.stepz=1"], 2, ["did you mean 'steps'"]),
        (["train", "smoke/recogniser", "--device", "cuda7"], 2, ["cuda7"]),
        (["evaluate", "nope"], 2, ["'nope'"]),
        (["info", "nothing.bvh"], 1, ["nothing.bvh"]),
        (["convert", "nothing.bvh", "a.npz"], 1, ["nothing.bvh"]),
        (["edit", "nothing.bvh", "--keep", "prefix", "--frames", "a", "-o", "x.npz"], 2, ["--frames"]),
        (["data", "prepare", "sample", "--source", "nowhere"], 2, ["nowhere"]),
        (["data", "info", "nowhere"], 1, ["nowhere"]),
    ],
)
def test_bad_input_is_one_line_and_a_status(
    motion, arguments, status, said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = motion(*arguments)
    assert code in (1, 2) if status == 1 else code == status
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    for part in said:
        assert part in err
    assert not list(tmp_path.iterdir())


def test_debug_shows_the_traceback_wherever_it_stands(motion) -> None:
    for arguments in (["--debug", "list", "x"], ["list", "x", "--debug"]):
        code, _, err = motion(*arguments)
        assert code == 2
        assert "Traceback" in err
        assert "UnknownName" in err


def test_a_mistake_of_ours_is_one_line_too(motion, monkeypatch: pytest.MonkeyPatch) -> None:
    from motion_platform.pipelines import inventory as listing

    monkeypatch.setattr(listing, "rows", lambda kind: 1 / 0)
    code, _, err = motion("list", "tasks")
    assert code == 1
    assert err == "error: unexpected ZeroDivisionError: division by zero (--debug shows where)\n"


def test_ctrl_c_is_status_130(motion, monkeypatch: pytest.MonkeyPatch) -> None:
    from motion_platform.pipelines import inventory as listing

    def interrupted(kind: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(listing, "rows", interrupted)
    assert motion("list", "tasks")[0] == 130


def test_list_shows_every_kind(motion) -> None:
    code, out, _ = motion("list")
    assert code == 0
    for word in ("text_to_motion", "smoke/recogniser", "mdm", "sentence", "foot_skating", "humanml3d_essential"):
        assert word in out
    assert "mdm" in motion("list", "generators")[1].split()


def test_help_of_every_command(motion) -> None:
    for command in (
        *("list", "generate", "edit", "train", "evaluate", "benchmark", "compare", "search", "convert", "render"),
        *("info", "doctor"),
    ):
        code, out, _ = motion(command, "--help")
        assert code == 0
        assert "Usage: motion" in out


def test_guidance_that_is_no_weight_is_refused_with_its_option() -> None:
    from types import SimpleNamespace

    from motion_platform.core.errors import UsageError

    run = SimpleNamespace(model=SimpleNamespace(guided=["text_high", "text_low"]))
    for given in ("nan", "1e30", "text_low=inf", "-1e9"):
        with pytest.raises(UsageError, match=r"--guidance: text_\w+: got .*allowed: -100 to 100"):
            generating._sampling([given], None, None, run)
    assert generating._sampling(["2", "text_low=4"], 3, None, run).guidance == {"text_high": 2.0, "text_low": 4.0}


def test_info_of_a_broken_checkpoint_is_one_line_and_hides_no_other(
    motion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").touch()
    for text, said in (("format: 1\nname: x", "is missing"), ("a: [", "cannot be read"), ("x", "format str")):
        (folder / "model.yaml").write_text(text)
        code, out, err = motion("info", "runs/mine")
        assert (code in (1, 2), out) == (True, "")
        assert said in err
        assert "unexpected" not in err
        assert "runs/mine" in motion("weights", "list")[1]


def test_the_list_of_models_says_when_there_is_none(motion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from motion_platform.core import weight_files

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weight_files, "SHIPPED", tmp_path)
    assert motion("weights", "list")[1].startswith("no models: ")


def test_files_are_named_as_they_were_written(motion, sample_root: Path, tmp_path: Path) -> None:
    one = next(sample_root.rglob("*bow_angry_001.bvh"))
    code, out, _ = motion("render", str(one), str(one), "-o", str(tmp_path / "out.bvh"))
    assert code == 0
    assert out.split() == [str(tmp_path / "out_1.bvh"), str(tmp_path / "out_2.bvh")]
    assert sorted(map(str, tmp_path.iterdir())) == out.split()


def test_the_rate_of_a_file_that_does_not_say_can_be_given(motion, sample_root: Path) -> None:
    file = next(sample_root.rglob("*.amc"))
    assert "at 60 fps" in motion("info", str(file), "--fps", "60")[1]


def test_joints_with_names_of_their_own_are_retargeted(motion, sample_root: Path, tmp_path: Path) -> None:
    text = next(sample_root.rglob("*bow_angry_001.bvh")).read_text().replace("JOINT Hips", "JOINT Gluteus")
    (tmp_path / "own.bvh").write_text(text)
    command = ["convert", str(tmp_path / "own.bvh"), str(tmp_path / "own.npz"), "--retarget"]
    assert motion(*command)[0] == 0  # by its structure
    sideless = text.replace("_L\n", "_a\n").replace("_R\n", "_b\n")
    (tmp_path / "sideless.bvh").write_text(sideless)
    code, _, err = motion("convert", str(tmp_path / "sideless.bvh"), str(tmp_path / "no.npz"), "--retarget")
    assert code == 1
    assert "--names FILE" in err
    assert "by its structure" in err
    assert not (tmp_path / "no.npz").exists()
    (tmp_path / "names.yaml").write_text("pelvis: Gluteus\nspine1: {between: [Gluteus, Spine], at: 0.93}\n")
    assert motion(*command, "--names", str(tmp_path / "names.yaml"))[0] == 0


@pytest.mark.parametrize("kind", ["tasks", "models", "encoders", "metrics", "data", "generators"])
def test_a_list_says_in_a_line_what_a_name_reads_and_is(motion, kind: str) -> None:
    from motion_platform.pipelines import inventory

    code, out, _ = motion("list", kind)
    rows, lines = inventory.rows(kind), out.splitlines()
    assert code == 0
    assert len(lines) == len(rows)
    for line, (name, reads, about) in zip(lines, rows, strict=True):
        assert line.split()[0] == name
        assert reads in line
        assert about
        assert line.endswith(about)
    if kind in ("tasks", "models", "encoders", "metrics"):
        assert all(reads for _, reads, _ in rows)
