"""What a page holds for its player, key by key, against the modules that it comes from."""

from __future__ import annotations

import base64
import gzip
import html as escaping
import json
from collections.abc import Callable

import numpy as np
import pytest

from motion_platform.core.errors import UsageError
from motion_platform.core.schema import Audio
from motion_platform.motion.clip import Clip
from motion_platform.motion.render import html, scene, sound
from motion_platform.motion.render.body import COLOURS, build_body, side_of
from motion_platform.motion.skeleton import get_skeleton


def numbers(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


@pytest.mark.parametrize(("fps", "every"), [(20.0, 1), (120.0, 2)])
def test_a_motion_of_a_page_is_the_clip(fps: float, every: int, walking: Callable[..., Clip]) -> None:
    info = {"model": "m", "seed": 3, "licence": "CC0", "source": "not shown"}
    clip = walking(31, fps=fps, name="a\x07b", captions=("one\x00", "two", "three", "four", "five"), info=info)
    data = html.page_data([clip, walking(2)])
    made = data["motions"][0]
    assert (data["version"], data["audio"], data["colours"], len(data["motions"])) == (1, None, COLOURS, 2)
    assert (made["name"], made["caption"], made["notes"]) == ("a b", "one ", ["two", "three", "four"])
    assert made["provenance"] == {"model": "m", "seed": 3, "licence": "CC0"}
    assert (made["fps"], made["every"], made["frames"], made["joints"], made["flat"]) == (
        fps / every, every, (30 // every) + 1, 22, False,
    )  # fmt: skip
    joints = clip.joints[::every]
    np.testing.assert_array_equal(numbers(made["root"], "<f4").reshape(-1, 3), joints[:, 0])
    local = numbers(made["local"], "<i2").reshape(joints.shape)
    assert np.abs(local).max() == 32767  # all of the range is used
    np.testing.assert_allclose(local * made["scale"], joints - joints[:, :1], atol=made["scale"])
    floor, height = scene.extent(clip)
    assert (made["floor"], made["height"]) == (round(floor, 5), round(height, 5))
    assert made["centre"] == [round(float(v), 5) for v in scene.middle(clip)]
    assert made["bones"] == [[a, b, side_of(clip.skeleton.joints[b])] for a, b in clip.skeleton.bones]
    body = build_body(clip)
    for row, point in zip(body.weights, made["points"], strict=True):
        assert point[::2] == np.flatnonzero(row).tolist()
        np.testing.assert_allclose(point[1::2], row[np.flatnonzero(row)], atol=1e-5)
    parts = np.array(made["parts"])
    np.testing.assert_array_equal(parts[:, :2], body.ends)
    np.testing.assert_allclose(parts[:, 2:4], body.radii, atol=1e-5)
    np.testing.assert_array_equal(parts[:, 4], body.tones)
    assert made["traced"] == []
    assert data["motions"][1]["caption"] == ""
    assert data["motions"][1]["notes"] == []


def test_a_body_in_one_point_has_a_scale_all_the_same() -> None:
    made = html.page_data([Clip(np.ones((2, 13, 3), np.float32) * [1, 1, 0], 15, get_skeleton("coco_upper"))])[
        "motions"
    ][0]
    assert made["flat"] is True
    assert not numbers(made["local"], "<i2").any()
    assert made["scale"] > 0


def test_hands_that_leave_traces_are_named_with_their_sides() -> None:
    skeleton = get_skeleton("conductor")
    clip = Clip(np.zeros((2, len(skeleton), 3), np.float32), 30, skeleton)
    wanted = [[j, side_of(skeleton.joints[j])] for j in skeleton.indices("traced")]
    assert html.page_data([clip])["motions"][0]["traced"] == wanted


def heard(clip: Clip, **more: object) -> Clip:
    samples = np.sin(np.arange(4 * 16000) / 20).astype(np.float32)
    return clip.with_(audio=Audio(4.0, samples, 16000), **more)


def test_sound_beats_and_words_end_with_the_longest_motion(walking: Callable[..., Clip]) -> None:
    events = {"beats": np.array([-0.1, 0.0, 0.5004, 1.0, 1.9, 2.0, 2.5]), "bars": np.array([0.0, 1.25, 3.0])}
    words = (("one\x00", 0.10004, 0.5), (" ", 0.6, 0.7), ("two", 1.9996, 2.5), ("three", 2.0, 2.2))
    clips = [walking(3), heard(walking(40), events=events, words=words)]
    made = html.page_data(clips)["audio"]
    assert clips[1].seconds == 2.0
    assert (made["seconds"], made["offset"]) == (2.0, 0.0)
    assert made["beats"] == [0.0, 0.5, 1.0, 1.25, 1.9]
    assert made["bars"] == [0.0, 1.25]
    assert made["words"] == [["one ", 0.1, 0.5], ["two", 2.0, 2.5]]
    assert base64.b64decode(made["peaks"]) == sound.peaks(clips[1].audio, 2.0).tobytes()
    assert made["src"].startswith("data:audio/mpeg;base64,")


def test_a_page_has_its_title_shown_and_else_the_caption_unseen(walking: Callable[..., Clip]) -> None:
    clip = walking(2, name="n<", captions=("c&",))
    for text, title, shown, kind in (
        (html.page_text([clip], "t>"), "t>", "t>", "seen"),
        (html.page_text([clip]), None, "c&", "unseen"),
        (html.page_text([clip.with_(captions=())]), None, "n<", "unseen"),
    ):
        assert f'<h1 class="{kind}">{escaping.escape(shown)}</h1>' in text, title
        assert "{{" not in text.split("<script")[0]


def test_files_of_several_motions_are_numbered_and_their_names_are_plain(
    walking: Callable[..., Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    def files(clips: list[Clip]) -> list[list[str]]:
        text = html.page_text(clips, files=True)
        start = text.index('{"version":1')
        data, _ = json.JSONDecoder().raw_decode(text[start:])
        return [[entry[1] for entry in motion.get("files", [])] for motion in data["motions"]]

    assert files([walking(2, name="a walk/é.")]) == [["a_walk.bvh", "a_walk.npz"]]
    assert files([walking(2, name="w"), walking(3, name="w")]) == [["w_1.bvh", "w_1.npz"], ["w_2.bvh", "w_2.npz"]]
    assert files([walking(2, name="...")]) == [["motion.bvh", "motion.npz"]]
    assert files([walking(2, name="x" * 70)]) == [["x" * 60 + ".bvh", "x" * 60 + ".npz"]]
    packed = html._files(walking(2), "w")
    assert gzip.decompress(base64.b64decode(packed[0][2])).startswith(b"HIERARCHY")
    for most, some in ((5 * 66, True), (5 * 66 - 1, False)):
        monkeypatch.setattr(html, "MAX_EMBEDDED", most)
        assert all(bool(each) is some for each in files([walking(2), walking(3)]))


def test_coordinates_are_counted_as_they_are_shown(walking: Callable[..., Clip]) -> None:
    clips = [walking(4, fps=120.0), walking(3)]  # every second frame of the first
    html.check_size(clips, "a.html", 2 * 66 + 3 * 66)
    with pytest.raises(UsageError, match=r"a\.html: 7 frames are too many for a page \(330 coordinates; at most 329\)"):
        html.check_size(clips, "a.html", 329)


def test_marks_that_could_end_a_script_are_written_as_numbers() -> None:
    made = html._script_safe({"a": "</script>&\u2028\u2029é"})
    assert made == '{"a":"\\u003c/script\\u003e\\u0026\\u2028\\u2029é"}'
