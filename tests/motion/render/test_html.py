"""The page in a real browser, driven over WebDriver, and what is in it."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from motion_platform.core.errors import DataError, OutputError, UsageError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.render import html
from motion_platform.motion.skeleton import Skeleton

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
NASTY = 'she </script><script>document.title=1</script> & <img src=x onerror="document.title=2"> {{data}} \u2028'


def test_positions_in_the_page_are_exact_to_a_tenth_of_a_millimetre(walking: Callable[..., Clip]) -> None:
    clip = walking(400, captions=("far away",)).with_(
        joints=walking(400).joints + np.array([300.0, 0, -800.0], np.float32)
    )
    motion = html.page_data([clip])["motions"][0]
    root = np.frombuffer(base64.b64decode(motion["root"]), "<f4").reshape(400, 1, 3)
    local = np.frombuffer(base64.b64decode(motion["local"]), "<i2").reshape(400, 22, 3)
    assert np.abs(root + motion["scale"] * local.astype(np.float64) - clip.joints).max() < 1e-4


def test_text_cannot_run_or_leave_its_place(tmp_path: Path, walking: Callable[..., Clip]) -> None:
    html.write(walking(captions=(NASTY, NASTY), name=NASTY), tmp_path / "a.html", title=NASTY)
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert "<img" not in page
    data = re.search(r'<script type="application/json" id="motion-data">(.*?)</script>', page, re.S)
    assert data is not None
    assert json.loads(data[1])["motions"][0]["caption"] == NASTY


def test_words_of_speech_stand_in_the_page_as_they_were_said(tmp_path: Path, walking: Callable[..., Clip]) -> None:
    soundfile.write(tmp_path / "talk.wav", np.zeros(8000), 8000)
    clip = walking(20, audio=tmp_path / "talk.wav")
    said = (("one", 0.1, 0.3), (" ", 0.3, 0.4), (NASTY, 0.5, 0.5), ("late", 1.2, 1.4))
    page = html.page_text([clip.with_(words=said)])
    assert page.count("<script") == 2
    assert "<img" not in page
    data = re.search(r'<script type="application/json" id="motion-data">(.*?)</script>', page, re.S)
    assert data is not None
    assert json.loads(data[1])["audio"]["words"] == [["one", 0.1, 0.3], [NASTY, 0.5, 0.5]]
    assert html.page_data([clip])["audio"]["words"] == []
    with pytest.raises(DataError, match="which is no time"):
        clip.with_(words=(("back", 0.5, 0.2),))


def test_the_page_names_no_address(tmp_path: Path, walking: Callable[..., Clip]) -> None:
    html.write(walking(), tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert not re.search(r"(https?:)?//[a-z0-9]", re.sub(r"(?m)^\s*//.*$|//.*$", "", page))
    assert not re.search(r"https?://", page)
    assert "default-src 'none'" in page
    assert len(page) < 120_000


def test_bad_requests_are_refused_and_leave_nothing(tmp_path: Path, walking: Callable[..., Clip]) -> None:
    with pytest.raises(UsageError, match="no motion"):
        html.write([], tmp_path / "a.html")
    with pytest.raises(UsageError, match="too many"):
        html.write([walking(500_000)], tmp_path / "a.html")
    with pytest.raises(OutputError, match="does not exist"):
        html.write(walking(), tmp_path / "nowhere" / "a.html")
    assert list(tmp_path.iterdir()) == []


def test_frame_rates_above_sixty_are_divided(walking: Callable[..., Clip]) -> None:
    motion = html.page_data([walking(241, fps=120.0)])["motions"][0]
    assert (motion["fps"], motion["frames"]) == (60.0, 121)


def test_any_tree_gets_a_body() -> None:
    snake = Skeleton("snake", tuple(f"s{i}" for i in range(9)), (-1, *range(8)))
    clips = [
        Clip(np.cumsum(np.full((3, 9, 3), 0.1, np.float32), 1), 20, snake),
        Clip(np.zeros((1, 1, 3), np.float32), 20, Skeleton("dot", ("it",), (-1,))),
        Clip(np.zeros((2, 9, 3), np.float32), 20, snake),
    ]
    for motion in html.page_data(clips)["motions"]:
        assert motion["parts"]
        assert motion["height"] > 0
        assert len(motion["bones"]) == motion["joints"] - 1
    assert html.page_text(clips, files=True).count(".bvh") >= 3  # each of them can be taken home, too


def unpacked(page: str) -> dict[str, bytes]:
    """The files that a page carries, by their names."""
    data = re.search(r'<script type="application/json" id="motion-data">(.*?)</script>', page, re.S)
    assert data is not None
    files = [file for motion in json.loads(data[1])["motions"] for file in motion.get("files", [])]
    return {name: gzip.decompress(base64.b64decode(packed)) for _, name, packed in files}


def test_a_page_carries_the_files_that_convert_writes(tmp_path: Path, walking: Callable[..., Clip]) -> None:
    clips = [walking(30, name="up / and away", info={"model": "m", "seed": 4}), walking(20, name="walk")]
    html.write(clips, tmp_path / "a.html")
    files = unpacked((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert list(files) == ["up_and_away_1.bvh", "up_and_away_1.npz", "walk_2.bvh", "walk_2.npz"]
    io.save(clips[1], tmp_path / "walk.bvh")
    assert files["walk_2.bvh"] == (tmp_path / "walk.bvh").read_bytes()
    (tmp_path / "back.npz").write_bytes(files["up_and_away_1.npz"])
    back = io.load(tmp_path / "back.npz")
    assert np.array_equal(back.joints, clips[0].joints)
    assert back.info["seed"] == 4


def test_long_motions_and_inner_pages_carry_no_files(tmp_path: Path, walking: Callable[..., Clip]) -> None:
    assert unpacked(html.page_text([walking(20)])) == {}
    html.write(walking(html.MAX_EMBEDDED // 66 + 1), tmp_path / "a.html")
    assert unpacked((tmp_path / "a.html").read_text(encoding="utf-8")) == {}


class Browser:
    """The few WebDriver commands that the test needs, over plain HTTP."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        flags = "--headless=new --no-sandbox --no-first-run --disable-background-networking --disable-component-update"
        flags += " --disable-sync --disable-quic --disable-dev-shm-usage --enable-unsafe-swiftshader"
        flags += " --use-angle=swiftshader --window-size=660,420 --autoplay-policy=no-user-gesture-required"
        options = {"binary": CHROMIUM, "args": flags.split()}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        self.base += f"/session/{session}"

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(self.base + path, method=method)
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=900) as reply:
            return json.load(reply)["value"]

    def run(self, script: str) -> Any:
        return self.call("POST", "/execute/sync", {"script": script, "args": []})

    def until(self, script: str, seconds: float = 600) -> Any:
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < end, script
            time.sleep(0.05)
        return value

    def log(self, kind: str) -> list[dict[str, Any]]:
        return self.call("POST", "/se/log", {"type": kind})


def wait(ready: Callable[[], Any], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.fixture(scope="module")
def browser():
    if not (CHROMIUM and DRIVER):
        pytest.skip("needs chromium and chromedriver")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    driver = subprocess.Popen([DRIVER, f"--port={port}"], env=dict(os.environ), **quiet)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=900).close()
                break
            except urllib.error.URLError:
                time.sleep(0.05)
        browser = Browser(port)
        yield browser
        browser.call("DELETE", "")
    finally:
        driver.terminate()
        driver.wait(20)


@pytest.mark.slow
def test_the_page_plays_in_a_browser(browser: Browser, tmp_path: Path, walking: Callable[..., Clip]) -> None:
    clips = [walking(100, captions=(NASTY,)), walking(30, captions=("shorter",))]
    html.write(clips, tmp_path / "two.html", title="Two")
    browser.call("POST", "/url", {"url": (tmp_path / "two.html").as_uri() + "#t=0"})
    assert browser.until("return window.motionPlayer && motionPlayer.drawn > 0") is True
    assert browser.run("return document.title") == "Two"
    assert browser.run("return [motionPlayer.renderer.name, motionPlayer.playing]") == ["webgl2", False]
    assert browser.run("return document.querySelectorAll('figure canvas').length") == 2
    captions = browser.run("return [...document.querySelectorAll('figcaption')].map((c) => c.firstChild.textContent)")
    assert captions == [NASTY, "shorter"]
    # Both pictures hold a body: colours of the left and of the right side.
    count = """const c = document.querySelectorAll('canvas')[%d];
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let blue = 0, orange = 0;
        for (let i = 0; i < d.length; i += 4) { blue += d[i + 2] > d[i] + 60; orange += d[i] > d[i + 2] + 60; }
        return [blue, orange]"""
    for view in (0, 1):
        assert min(browser.run(count % view)) > 100

    browser.run("document.getElementById('play').click()")
    browser.until("return motionPlayer.playing && motionPlayer.time > 0.3")
    # A person moves the slider: it stops there, and the joints are those of the frame.
    browser.run("const s = document.getElementById('scrub'); s.value = 2.5; s.dispatchEvent(new Event('input'))")
    assert browser.run("return [motionPlayer.time, motionPlayer.playing]") == [2.5, False]
    browser.until("return document.getElementById('clock').textContent === '2.50 / 4.95 s'")
    shown = np.reshape(browser.run("return [...motionPlayer.motions[0].now]"), (22, 3))
    assert np.abs(shown - clips[0].joints[50]).max() < 1e-4
    shown = np.reshape(browser.run("return [...motionPlayer.motions[1].now]"), (22, 3))
    assert np.abs(shown - clips[1].joints[-1]).max() < 1e-4  # has ended: holds its last frame
    keys = "dispatchEvent(new KeyboardEvent('keydown', {key: '%s', bubbles: true}))"
    browser.run(f"document.body.{keys % 'ArrowRight'}")
    assert browser.run("return motionPlayer.time") == pytest.approx(2.55)
    browser.run(f"document.body.{keys % ' '}")
    assert browser.run("return motionPlayer.playing") is True
    browser.run(f"document.body.{keys % ' '}")
    assert browser.run("return motionPlayer.playing") is False

    browser.call("POST", "/url", {"url": (tmp_path / "two.html").as_uri() + "#t=1&renderer=canvas"})
    browser.call("POST", "/refresh", {})
    browser.until("return window.motionPlayer && motionPlayer.drawn > 0")
    assert browser.run("return motionPlayer.renderer.name") == "canvas2d"
    assert browser.run("return document.getElementById('notice').hidden") is False
    assert min(browser.run(count % 0)) > 100

    errors = [entry for entry in browser.log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert errors == []
    events = [json.loads(entry["message"])["message"] for entry in browser.log("performance")]
    asked = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert asked
    assert all(url.startswith("file://") for url in asked), asked


NAMELESS = """const said = (e) => e.getAttribute('aria-label') || e.title || e.textContent.trim() || e.labels?.length;
  return [...document.querySelectorAll('button, a, input, select, summary, [role=img]')]
  .filter((e) => !said(e)).length"""


@pytest.mark.slow
def test_the_page_shows_frames_marks_bones_and_saves_files(
    browser: Browser, tmp_path: Path, walking: Callable[..., Clip]
) -> None:
    info = {"model": "walker", "seed": 7, "licence": "CC BY 4.0", "keep": "prefix", "kept": [[0.0, 1.0]]}
    clip = walking(81, name="walk", info=info | {"seam_times": [1.0, 3.0]})
    html.write(clip, tmp_path / "one.html")
    browser.call("POST", "/url", {"url": (tmp_path / "one.html").as_uri() + "#t=1.5&renderer=canvas"})
    browser.until("return window.motionPlayer && motionPlayer.drawn > 0")
    text = "return document.querySelector('%s').textContent"
    assert browser.run(text % ".frame") == "frame 30 / 80"
    assert browser.run("return document.getElementById('scrub').ariaValueText || scrub.getAttribute('aria-valuetext')")
    assert browser.run(text % "figcaption small") == "walker · seed 7 · CC BY 4.0"
    # The marks lie where they belong on the time line, and a click on it goes there.
    places = """const bar = document.querySelector('.marks').getBoundingClientRect();
        return [...document.querySelectorAll('.marks > span')].map((e) => { const r = e.getBoundingClientRect();
        return [e.className, (r.left - bar.left) / bar.width * 4, (r.right - bar.left) / bar.width * 4] })"""
    marks = browser.run(places)
    assert [name for name, *_ in marks] == ["kept-mark", "seam-mark", "seam-mark", "now-mark"]
    assert marks[0][1:] == pytest.approx([0, 1], abs=0.03)
    assert [mark[1] for mark in marks[1:]] == pytest.approx([1, 3, 1.5], abs=0.03)
    said = browser.run("return document.querySelector('.marks').getAttribute('aria-label')")
    assert said == "Time line: kept 0.0 to 1.0 s; seams at 1.0 s, 3.0 s"
    browser.run(
        """const bar = document.querySelector('.marks'), r = bar.getBoundingClientRect();
        bar.dispatchEvent(new PointerEvent('pointerdown', {clientX: r.left + r.width / 2, bubbles: true}))"""
    )
    assert browser.run("return motionPlayer.time") == pytest.approx(2, abs=0.02)
    # As a skeleton the same joints cover far fewer pixels; a second press brings the body back.
    area = """motionPlayer.draw(); const c = document.querySelector('.view canvas');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let n = 0;
        for (let i = 0; i < d.length; i += 4) n += Math.abs(d[i + 2] - d[i]) > 60;
        return n"""
    body = browser.run(area)
    browser.run("document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 's', bubbles: true}))")
    assert browser.run("return document.getElementById('skeleton').getAttribute('aria-pressed')") == "true"
    assert 20 < browser.run(area) < body / 2
    browser.run("document.getElementById('skeleton').click()")
    assert browser.run(area) == pytest.approx(body, rel=0.05)
    # The buttons save what the page carries, and the picture.
    folder = {"behavior": "allow", "downloadPath": str(tmp_path / "saved")}
    browser.call("POST", "/goog/cdp/execute", {"cmd": "Browser.setDownloadBehavior", "params": folder})
    for button in ("BVH", "npz", "Picture"):
        browser.run(
            f"[...document.querySelectorAll('.files button')].find((b) => b.textContent === '{button}').click()"
        )
        wait(lambda: len([f for f in (tmp_path / "saved").glob("*") if f.suffix != ".crdownload"]), button)
    wait(lambda: all((tmp_path / "saved" / n).is_file() for n in ("walk.bvh", "walk.npz", "walk_40.png")), "all")
    assert len(io.load(tmp_path / "saved" / "walk.bvh")) == 81
    assert np.array_equal(io.load(tmp_path / "saved" / "walk.npz").joints, clip.joints)
    assert (tmp_path / "saved" / "walk_40.png").read_bytes().startswith(b"\x89PNG")
    assert browser.run(NAMELESS) == 0
    told = [entry["message"] for entry in browser.log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert [words for words in told if "readback" not in words] == []  # what this test itself reads


@pytest.mark.slow
def test_the_page_sounds_in_a_browser(browser: Browser, tmp_path: Path, walking: Callable[..., Clip]) -> None:
    clock = np.arange(30 * 8000) / 8000
    beats = np.arange(0, 30, 0.75)
    soundfile.write(tmp_path / "music.wav", 0.5 * np.sin(3000 * clock) * np.exp(-9 * (clock % 0.75)), 8000)
    clip = walking(600, audio=tmp_path / "music.wav", events={"beats": beats, "bars": beats[::4]})
    hands = replace(clip.skeleton, parts={**clip.skeleton.parts, "traced": ("left_wrist",)})
    html.write(clip.with_(skeleton=hands), tmp_path / "music.html")
    browser.call("POST", "/url", {"url": (tmp_path / "music.html").as_uri() + "#t=9&renderer=canvas"})
    browser.until("return window.motionPlayer && motionPlayer.drawn > 0 && motionPlayer.sound.element.readyState > 2")
    assert browser.run("return motionPlayer.sound.element.duration") == pytest.approx(30, abs=0.03)
    shown = "return ['music', 'overview', 'traces', 'sound'].map((id) => document.getElementById(id).hidden)"
    assert browser.run(shown) == [False, False, False, False]
    assert browser.run("return motionPlayer.sound.span(motionPlayer.time)") == [3, 15]
    # In the waveform: tones of the music, and the marks of beats and bars among them.
    row = browser.run(
        """const c = document.getElementById('wave'), y = Math.round(c.height * 0.18);
        const d = c.getContext('2d').getImageData(0, y, c.width, 1).data;
        return [...Array(c.width).keys()].filter((x) => d[4 * x + 3] > 200).map((x) => 3 + 12 * x / c.width)"""
    )
    for bar in (3.0, 6.0, 12.0):
        assert min(abs(x - bar) for x in row) < 0.05
    assert all(min(abs(x - mark) for mark in (3.0, 6.0, 9.0, 12.0, 15.0)) < 0.05 for x in row)
    # It sounds after a click, and the motion follows the sound; a click on the waveform goes there.
    browser.run(
        """const draw = motionPlayer.draw;
        motionPlayer.draw = function () { window.apart = Math.abs(this.time - this.sound.time); draw.call(this); };
        document.getElementById('play').click()"""
    )
    browser.until("return motionPlayer.sound.leads && motionPlayer.time > 9.5")
    assert browser.run("return window.apart") < 0.03
    browser.run("document.getElementById('play').click()")
    assert browser.run("return motionPlayer.sound.element.paused") is True
    browser.run(
        """const c = document.getElementById('overview'), r = c.getBoundingClientRect(), x = r.left + r.width / 2;
        c.setPointerCapture = () => {};
        c.dispatchEvent(new PointerEvent('pointerdown', {clientX: x, clientY: r.top + 5, bubbles: true}))"""
    )
    assert browser.run("return motionPlayer.time") == pytest.approx(15, abs=0.2)
    assert browser.run("return motionPlayer.sound.time") == pytest.approx(15, abs=0.2)
    browser.run("document.getElementById('sound').click(); document.getElementById('play').click()")
    browser.until("return motionPlayer.time > 15.4")  # silent, and still it moves
    assert browser.run("return motionPlayer.sound.element.paused") is True
    browser.run("document.getElementById('play').click()")
    assert [entry for entry in browser.log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []


def test_a_page_holds_two_hours_of_sound(
    tmp_path: Path, walking: Callable[..., Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    heard = walking(
        20, audio=tmp_path / "a.wav", events={"beats": np.array([0.0, 0.5, 1.0, 1.5]), "bars": np.array([0.5])}
    )
    monkeypatch.setattr(html, "MAX_SECONDS", 1.0)
    made = html.page_data([heard])["audio"]
    assert (made["beats"], made["bars"], made["seconds"]) == ([0.0, 0.5], [0.5], 1.0)  # up to the end, without it
    monkeypatch.setattr(html, "MAX_SECONDS", 0.95)
    with pytest.raises(UsageError, match=r"1 s of sound; a page holds 1; write \.mp4"):
        html.page_data([heard])


def test_the_player_alone_is_one_script_that_starts_nothing() -> None:
    script = html.player_script()
    assert script.startswith('"use strict";\n')
    page = html.page_text([Clip(np.zeros((1, 1, 3), np.float32), 20.0, Skeleton("one", ("a",), (-1,)))])
    body = script.removeprefix('"use strict";\n')
    assert body in page
    assert len(page) - len(body) > 1000
    assert script.count("class ") >= 2
