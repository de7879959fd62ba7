"""Every file says which model made its motions, from which words and seed, and under which licence."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from motion_platform.core.errors import DataError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import provenance
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.pipelines import inventory

TOLD = {"model": "walker", "seed": 7, "licence": "CC BY-NC 4.0; a = b; \\ #1"}
WORDS = 'geht = "schnell" é 走 \\ ;#'


@pytest.fixture
def clip() -> Clip:
    skeleton = get_skeleton("humanml3d")
    rest = np.cumsum(np.full((22, 3), 0.02), 0)
    joints = np.repeat(rest[None], 6, 0).astype(np.float32)
    return Clip(joints, 20.0, skeleton, None, "walk", (WORDS,), {**TOLD, "sample": 0, "notes": ["not told"]})


@pytest.mark.parametrize("ending", ["npz", "npy", "bvh", "glb", "vrma"])
def test_a_motion_file_says_who_made_it(clip: Clip, tmp_path: Path, ending: str) -> None:
    io.save(clip, tmp_path / f"walk.{ending}")
    back = io.load(tmp_path / f"walk.{ending}")
    assert back.captions == (WORDS,)
    assert {key: back.info.get(key) for key in TOLD} == TOLD
    assert inventory.describe(str(tmp_path / f"walk.{ending}"))["licence"] == TOLD["licence"]


@pytest.mark.parametrize("ending", ["html", "png", "mp4"])
def test_a_picture_says_who_made_it(clip: Clip, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"walk.{ending}"
    io.save([clip, clip.with_(info={"model": "other"})], path)
    told = provenance.of_picture(path)
    assert told is not None
    assert {key: told[0].get(key) for key in TOLD} == TOLD
    assert told[0]["captions"][0].startswith(WORDS)
    assert told[1]["model"] == "other"
    said = inventory.describe(str(path))
    assert (said["shows"], said["seed"]) == ("2 motion(s); the first:", 7)


def test_a_film_is_still_a_film(clip: Clip, tmp_path: Path) -> None:
    """Another program reads the comment as one field of text: ffmpeg's own list of it."""
    import imageio_ffmpeg

    io.save(clip, tmp_path / "walk.mp4")
    listing = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(tmp_path / "walk.mp4")]
    done = subprocess.run(listing, capture_output=True, text=True, check=False)
    assert "comment         : {" in done.stderr
    assert "Video: h264" in done.stderr


def test_a_bvh_stays_plain_and_its_provenance_lies_beside_it(clip: Clip, tmp_path: Path) -> None:
    io.save(clip, tmp_path / "with.bvh")
    io.save(clip.with_(info={}), tmp_path / "without.bvh")
    assert (tmp_path / "with.bvh").read_bytes() == (tmp_path / "without.bvh").read_bytes()
    # As strict programs read it (Blender among them): after the frame time nothing but rows of numbers.
    lines = (tmp_path / "with.bvh").read_text().splitlines()
    frames = lines[next(i for i, line in enumerate(lines) if line.startswith("Frame Time")) + 1 :]
    assert len({len([float(word) for word in line.split()]) for line in frames}) == 1
    assert len(frames) == 6
    told = json.loads((tmp_path / "with.bvh.json").read_text())
    assert told["motions"][0]["model"] == "walker"
    assert not (tmp_path / "without.bvh.json").exists()


def test_several_bvh_have_each_their_own_and_old_ones_go(clip: Clip, tmp_path: Path) -> None:
    io.save([clip, clip.with_(info={**TOLD, "seed": 8})], tmp_path / "a.bvh")
    assert [io.load(tmp_path / f"a_{k}.bvh").info["seed"] for k in (1, 2)] == [7, 8]
    io.save(clip.with_(info={}), tmp_path / "a_1.bvh")
    assert not (tmp_path / "a_1.bvh.json").exists()
    (tmp_path / "b.bvh.json").write_text("mine")
    io.save(clip.with_(info={}), tmp_path / "b.bvh")
    assert (tmp_path / "b.bvh.json").read_text() == "mine"  # nobody's file is taken away
    assert io.load(tmp_path / "b.bvh").captions == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"format": "motion_platform.provenance"', "is broken"),
        ('{"format": "motion_platform.provenance", "motions": [3]}', "is broken"),
        ('{"format": "motion_platform.provenance", "motions": []}', "is of 0 motions, and a.bvh holds 1"),
        ('{"format": "motion_platform.provenance 2", "motions": []}', "format"),
    ],
)
def test_a_broken_one_is_named(clip: Clip, tmp_path: Path, text: str, said: str) -> None:
    io.save(clip, tmp_path / "a.bvh")
    (tmp_path / "a.bvh.json").write_text(text)
    with pytest.raises(DataError, match=said):
        io.load(tmp_path / "a.bvh")


def test_only_known_plain_fields_are_taken(clip: Clip, tmp_path: Path) -> None:
    io.save(clip, tmp_path / "a.bvh")
    motion = {"captions": ["x", 3], "model": {"a": 1}, "seed": 3, "rig": "else"}
    (tmp_path / "a.bvh.json").write_text(json.dumps({"format": provenance.FORMAT, "motions": [motion]}))
    back = io.load(tmp_path / "a.bvh")
    assert back.captions == ("x",)
    assert back.info["seed"] == 3
    assert not {"model", "rig"} & back.info.keys()


def test_a_picture_of_something_else_says_so(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "a.html").write_text("<p>hello</p>")
    for name in ("a.png", "a.html"):
        with pytest.raises(DataError, match="says nothing of a motion"):
            inventory.describe(str(tmp_path / name))
    (tmp_path / "a.mp4").write_bytes(b"x" * 100)
    (tmp_path / "b.png").write_bytes(b"x" * 100)
    for name in ("a.mp4", "b.png"):
        with pytest.raises(DataError, match="that can be read"):
            inventory.describe(str(tmp_path / name))


def test_a_file_beside_that_is_too_large_is_not_read(clip: Clip, tmp_path: Path) -> None:
    io.save(clip, tmp_path / "a.bvh")
    beside = tmp_path / "a.bvh.json"
    whole = beside.read_text()
    for size in (provenance.MOST, provenance.MOST + 1):
        beside.write_text(whole + " " * (size - len(whole)))
        if size == provenance.MOST:
            assert io.load(tmp_path / "a.bvh").info["model"] == "walker"
        else:
            with pytest.raises(DataError, match=f"has {size} bytes; provenance has at most {provenance.MOST}"):
                io.load(tmp_path / "a.bvh")


@pytest.mark.parametrize("data", ["{", "[]", '{"motions": [3]}', '{"motions": [{"caption": "a"}]}', "{}"])
def test_a_page_whose_data_is_broken_is_named(tmp_path: Path, data: str) -> None:
    page = tmp_path / "a.html"
    page.write_text(f'<p><script type="application/json" id="motion-data">{data}</script>')
    with pytest.raises(DataError, match=r"a\.html: its data is broken"):
        provenance.of_picture(page)
    page.write_text("<p>no motion here")
    assert provenance.of_picture(page) is None
