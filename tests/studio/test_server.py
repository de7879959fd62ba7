"""The REST interface against a real server and shipped models, with few steps and short motions."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from motion_platform.core.errors import WeightsError
from motion_platform.motion import io as motion_io

sys.path.append(str(Path(__file__).parents[1]))
from documents import ROOT, blocks

SHORT = {"seconds": 1.0, "model": "text_to_motion_small", "steps": 2}
WAIT = "?wait=60"


@pytest.fixture(scope="module")
def made(server) -> dict:
    """An answer of two motions."""
    status, answer = server.post(f"/api/generate{WAIT}", {"text": "a <b>person</b> waves", "samples": 2, **SHORT})
    assert status == 200, answer
    return answer


def test_a_sentence_becomes_motions_with_their_numbers(made: dict) -> None:
    assert [motion["number"] for motion in made["motions"]] == [1, 2]
    for motion in made["motions"]:
        assert motion["captions"] == ["a <b>person</b> waves"]
        assert motion["seconds"] == 1.0
        assert motion["info"]["licence"].startswith("CC BY-NC")
        names = {number["name"] for number in motion["numbers"]}
        assert {"foot_skating", "content", "text_distance"} <= names


def test_the_answer_is_that_of_python(server, made: dict) -> None:
    pipeline = server.studio.models.pipeline("text_to_motion", SHORT["model"])
    clips = pipeline("a <b>person</b> waves", seconds=1.0, steps=2, samples=2)
    status, body = server.get(f"/api/jobs/{made['key']}/2.npz")
    assert status == 200
    path = server.studio.store.folder / "check.npz"
    path.write_bytes(body)
    np.testing.assert_allclose(motion_io.load(path).joints, clips[1].joints, atol=1e-5)


def test_a_model_that_cannot_does_not_spoil_the_answer_of_others(server, monkeypatch: pytest.MonkeyPatch) -> None:
    run = server.studio.models.run

    def missing(name: str):
        if name == "motion_lm_small":
            raise WeightsError("motion_lm_small: the weights are gone; give --model another")
        return run(name)

    monkeypatch.setattr(server.studio.models, "run", missing)
    values = {"text": "walk", **SHORT, "model": ["text_to_motion_small", "motion_lm_small"]}
    status, answer = server.post(f"/api/generate{WAIT}", values)
    assert status == 200
    assert [motion["model"] for motion in answer["motions"]] == ["text_to_motion_small"]
    ((model, said),) = [(each["model"], each["error"]) for each in answer["cannot"]]
    assert model == "motion_lm_small"
    assert said == "motion_lm_small: the weights are gone; give model another", "in the words of the call"


def test_a_link_is_made_again_when_it_has_left_the_memory(server, made: dict) -> None:
    before = server.get(f"/api/jobs/{made['key']}/player")[1]
    del server.studio.jobs.all[made["key"]]
    status, body = server.get(f"/api/jobs/{made['key']}{WAIT}")
    assert status == 200
    assert json.loads(body)["motions"] == made["motions"]
    assert server.get(f"/api/jobs/{made['key']}/player")[1] == before


def test_a_link_of_other_weights_says_so(server, made: dict) -> None:
    known = server.studio.store.asked(made["key"])
    server.studio.store.remember("f" * 20, known["call"], known["values"], {"text_to_motion_small": "other"})
    status, body = server.get("/api/jobs/" + "f" * 20)
    assert status == 422
    assert "other weights of text_to_motion_small" in json.loads(body)["error"]
    assert server.get("/api/jobs/" + "0" * 20)[0] == 404


def test_everything_goes_home_with_what_it_was_made_from(server, made: dict) -> None:
    status, body = server.get(f"/api/jobs/{made['key']}.zip?formats=bvh,npz,bvh")
    assert status == 200
    archive = zipfile.ZipFile(io.BytesIO(body))
    names = sorted(archive.namelist())
    assert names[-1] == "made_from.json"
    assert len(names) == 7, "two motions, and what says where the .bvh come from, which have no room for it"
    (beside,) = json.loads(archive.read(next(name for name in names if name.endswith("1.bvh.json"))))["motions"]
    assert {"model", "seed", "licence", "text", "captions"} <= set(beside)
    assert all(name.startswith("a_b_person_b_waves") for name in names[:-1])
    said = json.loads(archive.read("made_from.json"))
    assert said["asked"]["text"] == "a <b>person</b> waves"
    for motion in said["motions"]:
        assert {"seed", "model", "weights", "licence", "text"} <= set(motion)
    assert server.get(f"/api/jobs/{made['key']}/1.exe")[0] == 422
    assert server.get(f"/api/jobs/{made['key']}/9.bvh")[0] == 422
    assert server.get(f"/api/jobs/{made['key']}.zip?formats=bvh.json,exe")[0] == 422


@pytest.mark.parametrize(
    ("form", "fields", "skeleton"),
    [("joints.npy", None, "humanml3d"), ("features.npy", None, "humanml3d"), ("amass.npz", {"poses", "trans"}, "smpl")],
)
def test_a_motion_goes_home_as_other_programs_read_it(server, made: dict, form: str, fields, skeleton: str) -> None:
    status, body = server.get(f"/api/jobs/{made['key']}/1.{form}")
    assert status == 200, body
    path = server.studio.store.folder / f"home.{form}"
    path.write_bytes(body)
    if fields:
        assert fields <= set(np.load(path).files)
    else:
        beside = server.get(f"/api/jobs/{made['key']}/1.{form}.json")[1]
        path.with_name(f"{path.name}.json").write_bytes(beside)
    clip = motion_io.load(path)
    assert (clip.skeleton.name, clip.fps, clip.captions) == (skeleton, 20, ("a <b>person</b> waves",))
    assert (clip.info["seed"], clip.info["model"], clip.info["licence"][:8]) == (0, SHORT["model"], "CC BY-NC")
    status, body = server.get(f"/api/jobs/{made['key']}/1.{form}?rig=anything")
    assert status == 422
    assert "has a body of its own" in json.loads(body)["error"]


def test_any_body_goes_home_as_a_vrm_animation(server, made: dict, walk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = server.studio.jobs.all[made["key"]]
    monkeypatch.setattr(job, "clips", [motion_io.load(walk)] * 2)  # as gestures are: not on the 22 joints
    status, body = server.get(f"/api/jobs/{made['key']}/2.vrma")
    assert (status, body[:4]) == (200, b"glTF"), body


@pytest.mark.skipif(os.name == "nt", reason="starts a script by its first line")
def test_fbx_is_offered_where_blender_is(server, made: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def formats() -> set[str]:
        return {form["name"] for form in json.loads(server.get("/api/tasks")[1])["formats"]}

    monkeypatch.setenv("MOTION_BLENDER", "/nowhere/blender")
    assert "fbx" not in formats()
    status, body = server.get(f"/api/jobs/{made['key']}/1.fbx")
    assert (status, str(server.studio.store.folder) in body.decode()) == (422, False)
    assert "1.fbx: MOTION_BLENDER names /nowhere/blender" in json.loads(body)["error"]
    program = tmp_path / "blender"
    program.write_text(f"#!{sys.executable}\nimport pathlib, sys\npathlib.Path(sys.argv[-1]).write_bytes(b'FBX')\n")
    program.chmod(0o755)
    monkeypatch.setenv("MOTION_BLENDER", str(program))
    assert {"fbx", "usdc"} <= formats()
    assert server.get(f"/api/jobs/{made['key']}/1.fbx") == (200, b"FBX")
    assert json.loads(server.get(f"/api/jobs/{made['key']}/1.fbx.json")[1])["motions"][0]["licence"]


def test_a_file_that_cannot_be_written_is_one_line(server, made: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    shutil.rmtree(server.studio.store.folder / "files")
    (server.studio.store.folder / "files").mkdir()
    status, body = server.get(f"/api/jobs/{made['key']}/1.amass.npz")
    said = json.loads(body)["error"]
    assert status == 422
    assert said == f"{made['key']}_1_.amass.npz: could not be written: No space left on device"
    assert not list((server.studio.store.folder / "files").iterdir())


def test_a_dropped_motion_is_kept_in_part(server, walk: Path) -> None:
    status, file = server.upload("../<script>alert(1)</script>.bvh", walk.read_bytes())
    assert status == 200, file
    assert (file["kind"], file["name"]) == ("motion", "script.bvh")
    status, answer = server.post(
        f"/api/edit{WAIT}",
        {"clip": file["file"], "keep": "prefix", "keep_seconds": 0.5, "seconds": 1.5, "steps": 2, "text": "run"},
    )
    assert status == 200, answer
    assert answer["motions"][0]["seconds"] == 1.5
    again = {"clip": f"{answer['key']}/1", "keep": "upper_body", "steps": 2}
    assert server.post(f"/api/edit{WAIT}", again)[0] == 200
    assert json.loads(server.get(f"/api/files/{file['file']}/player")[1])["motions"]


def test_a_motion_goes_home_on_a_character(server, made: dict, walk: Path) -> None:
    _, file = server.upload("character.bvh", walk.read_bytes())
    status, body = server.get(f"/api/jobs/{made['key']}/1.bvh?rig={file['file']}")
    assert status == 200, body
    path = server.studio.store.folder / "on_character.bvh"
    path.write_bytes(body)
    assert motion_io.load(path).skeleton.joints == motion_io.load(walk).skeleton.joints
    assert server.get(f"/api/jobs/{made['key']}/1.bvh")[1] != body
    assert server.get(f"/api/jobs/{made['key']}/1.bvh?rig=/etc/passwd")[0] == 422


def test_a_recording_is_conducted(server, sample_root: Path) -> None:
    import soundfile

    data, rate = soundfile.read(next((sample_root / "music").glob("*.ogg")), frames=22050 * 4)
    text = io.BytesIO()
    soundfile.write(text, data[: rate * 3], rate, format="OGG")
    status, file = server.upload("piece.ogg", text.getvalue())
    assert (status, file["kind"]) == (200, "audio")
    values = {"task": "music_to_conductor", "music": file["file"], "style": "grand", "steps": 2, "seconds": 2.0}
    status, answer = server.post(f"/api/generate{WAIT}", values)
    assert status == 200, answer
    assert answer["motions"][0]["captions"] == ["piece (grand)"]
    assert json.loads(server.get(f"/api/jobs/{answer['key']}/player")[1])["audio"]["src"]


@pytest.mark.parametrize(
    ("path", "values", "status", "said"),
    [
        ("generate", {"text": "", **SHORT}, 422, "text"),
        ("generate", {"text": "walk", "model": "../../secret"}, 422, "unknown model"),
        ("generate", {"task": "/etc/passwd"}, 422, "unknown task"),
        ("generate", {"task": "music_to_conductor", "music": "/etc/passwd"}, 422, "no such upload"),
        ("generate", {"timeline": [{"text": "walk"}, {"text": "bow", "lane": "tail"}], **SHORT}, 422, "unknown lane"),
        ("edit", {"clip": "../../secret", "keep": "prefix"}, 422, "no such upload"),
        ("edit", {"clip": "0" * 20, "keep": "prefix"}, 422, "no such upload"),
        ("nothing", {}, 422, "unknown call"),
        ("generate", [], 422, "JSON object"),
        ("votes", {"better": "0/1", "worse": ["0/2"]}, 422, "no motion"),
    ],
)
def test_what_is_wrong_is_one_line(server, path: str, values: object, status: int, said: str) -> None:
    got, answer = server.post(f"/api/{path}{WAIT if path != 'votes' else ''}", values)
    assert got == status
    assert said in answer["error"]
    assert str(server.studio.store.folder) not in answer["error"]


def test_bad_files_are_one_line_and_leave_nothing(server) -> None:
    before = sorted((server.studio.store.folder / "uploads").iterdir())
    for name, data, status, said in [
        ("big.bvh", bytes((1 << 20) + 1), 413, "too large; at most 1 MB"),
        ("empty.bvh", b"", 422, "is empty"),
        ("run.exe", b"MZ", 422, ".exe"),
    ]:
        got, answer = server.upload(name, data)
        assert (got, said in answer["error"]) == (status, True), answer
    assert sorted((server.studio.store.folder / "uploads").iterdir()) == before
    status, answer = server.upload("broken.bvh", b"HIERARCHY\nROOT x")
    assert status == 422
    assert answer["error"].startswith("broken.bvh")
    status, body = server.send("POST", "/api/generate", b"{" * 5000, Content_Type="application/json")
    assert (status, b"no JSON" in body) == (422, True)
    assert server.send("POST", "/api/generate", b"{}", Content_Type="text/plain")[0] == 422
    assert server.get("/page/..%2f..%2fserver.py")[0] == 404


def test_more_than_a_page_can_show_is_one_line(server, made: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    from motion_platform.studio import work

    monkeypatch.setattr(work, "MOST_SHOWN", 100)
    status, body = server.get(f"/api/jobs/{made['key']}/player")
    assert status == 422
    assert "too many for a page" in json.loads(body)["error"]


def test_a_vote_is_a_row_for_each_comparison(server, made: dict) -> None:
    values = {"better": f"{made['key']}/2", "worse": [f"{made['key']}/1"], "blind": True}
    assert server.post("/api/votes", values) == (200, {"rows": 1})
    table = server.get("/api/votes.csv")[1].decode()
    assert f"{made['key']}/2" in table.splitlines()[-1]


@pytest.mark.slow
def test_twenty_people_at_once_get_what_they_asked_for(server) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def person(number: int) -> list[tuple]:
        answers = []
        for turn in range(2):
            values = {"text": f"person {number} walks {turn + 1} times", "seed": 100 * number + turn, **SHORT}
            status, answer = server.post("/api/generate?wait=60", values, X_Person=f"person-{number}")
            while status == 202:
                status, body = server.get(f"/api/jobs/{answer['key']}?wait=30")
                answer = json.loads(body)
            (motion,) = answer["motions"]
            answers.append((status, motion["captions"], motion["info"]["seed"], values["text"], values["seed"]))
        return answers

    with ThreadPoolExecutor(20) as pool:
        for answers in pool.map(person, range(20)):
            for status, captions, seed, text, wanted in answers:
                assert (status, captions, seed) == (200, [text], wanted)


@pytest.mark.slow
def test_a_dropped_motion_is_captioned(server, walk: Path) -> None:
    _, file = server.upload("walk.bvh", walk.read_bytes())
    status, said = server.post(f"/api/caption{WAIT}", {"clips": file["file"]})
    assert status == 200, said
    assert said["captions"][0]["text"].startswith("a ")


@pytest.mark.slow
def test_the_examples_of_the_page_run(server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, walk: Path) -> None:
    page = ROOT / "docs" / "studio.md"
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(page, "python")
    exec(compile(code.replace("http://127.0.0.1:8421", server.address), "studio.md", "exec"), {})
    assert len(motion_io.load("walk.bvh")) > 1
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    (text,) = blocks(page, "sh")
    done = subprocess.run(
        ["bash", "-ec", text.replace("http://127.0.0.1:8421", server.address)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(part) for part in done.stdout.replace("}{", "}\n{").splitlines()]
    assert {motion["model"] for motion in answers[0]["motions"]} == {"text_to_motion_masked", "text_to_motion_small"}
    assert answers[1]["kind"] == "motion"
