"""The page in a real browser, clicked through. Needs Chromium and its driver; else these tests skip and say so."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from motion_platform.core import weight_files
from motion_platform.core.errors import WeightsError
from motion_platform.motion import io as motion_io
from motion_platform.motion.clip import Clip
from motion_platform.motion.render import html

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1280,900"
)
NAMELESS = """const said = (e) => e.getAttribute('aria-label') || e.title || e.textContent.trim() || e.labels?.length;
  return [...document.querySelectorAll('button, a, input, select, textarea, summary, canvas[role=img]')]
  .filter((e) => e.checkVisibility() && !said(e))
  .map((e) => e.outerHTML)"""


TICK = "for (const b of document.querySelectorAll('input[name=model]')) b.checked = b.value {} '{}'"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium (pip install -e '.[dev]')")
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromedriver")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: Any, server: Any) -> Any:
    """The page, opened anew; every request that it sends must stay on this server, and no script may fail."""
    browser.get_log("performance")  # what a test without this fixture has left
    browser.get(f"{server.address}/#renderer=canvas")
    browser.execute_script("localStorage.clear()")
    browser.refresh()
    until(browser, "document.body.dataset.ready")
    yield browser
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            address = message["params"]["request"]["url"]
            assert address.startswith((server.address, "data:", "blob:", "chrome:", "chrome-untrusted:")), address
    log = browser.get_log("browser")
    assert not [entry["message"] for entry in log if entry["source"] in ("javascript", "security")]


def until(browser: Any, script: str, seconds: float = 60) -> Any:
    """Wait until a JavaScript expression is true; its value."""
    for _ in range(round(seconds / 0.05)):
        value = browser.execute_script(f"return {script}")
        if value:
            return value
        time.sleep(0.05)
    said = browser.execute_script("return document.getElementById('result').innerText + problem.textContent")
    raise AssertionError(f"{script}: {said}")


def one(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def put(browser: Any, selector: str, value: str) -> None:
    field = one(browser, selector)
    field.clear()
    field.send_keys(value)


def ask(browser: Any, text: str, **fields: str) -> None:
    """Fill in the form for a quick answer of the small model, and press the button."""
    put(browser, "#slots textarea", text)
    browser.execute_script(f"{TICK.format('===', 'text_to_motion_small')}; document.getElementById('more').open = true")
    for name, value in {"seconds": "1", "steps": "2", **fields}.items():
        put(browser, f"#{name}", value)
    one(browser, "#go").click()


DONE = "studio.job?.state === 'done' && document.querySelectorAll('figure .numbers li').length"


def test_a_sentence_becomes_moving_bodies_to_compare_and_to_take_home(page: Any, server: Any) -> None:
    ask(page, "a person waves", samples="2")
    until(page, DONE)
    assert [figure.text for figure in page.find_elements("css selector", "figcaption")] == ["a person waves"] * 2
    assert "text_to_motion_small · sample 2 · seed 0 · 1.0 s" in one(page, "#stage").text
    assert "seen as" in one(page, ".numbers").text
    until(page, "motionPlayer.playing && motionPlayer.time > 0.1")
    page.execute_script("motionPlayer.play(false)")
    assert not page.execute_script(NAMELESS)

    one(page, "#blind").click()
    assert "text_to_motion_small" not in one(page, "#stage").text
    page.find_elements("css selector", ".facts button")[1].click()
    until(page, "[...document.querySelectorAll('.facts button')].some((b) => b.textContent === 'Noted')")
    assert server.get("/api/votes.csv")[1].decode().splitlines()[-1].split(",")[-2] == "True"
    one(page, "#blind").click()

    key = page.execute_script("return studio.job.key")
    one(page, "#zips summary").click()
    page.execute_script("for (const b of document.querySelectorAll('#zip-formats [value=glb]')) b.click()")
    assert one(page, "#zip").get_attribute("href").endswith(f"/api/jobs/{key}.zip?formats=bvh,npz")
    one(page, "#zips summary").click()
    choices = page.execute_script("return [...document.querySelectorAll('.facts option')].map((o) => o.value)")
    assert {"bvh", "glb", "mp4", "npz", "amass.npz", "joints.npy", "features.npy"} <= set(choices)
    one(page, ".facts select option[value='joints.npy']").click()
    assert until(page, "document.querySelector('.beside a')?.textContent").endswith("_1_joints.npy.json")

    home = "studio.home.take(`api/jobs/${studio.job.key}/2.%s`).then(() => arguments[0](problem.textContent))"
    assert page.execute_async_script(home % "bvh") == ""
    assert "is no format" in page.execute_async_script(home % "exe")

    star = one(page, "#history button")
    star.click()
    assert one(page, "#history button").get_attribute("aria-pressed") == "true"
    page.get(f"{server.address}/?r={key}#renderer=canvas")  # the link, in another tab
    until(page, DONE)
    assert one(page, "#slots textarea").get_attribute("value") == "a person waves"
    assert one(page, "#samples").get_attribute("value") == "2"


def test_a_model_that_cannot_says_so_beside_those_that_can(page: Any, server: Any, monkeypatch: Any) -> None:
    from motion_platform.core.errors import WeightsError

    run: Callable[[str], Any] = server.studio.models.run

    def missing(name: str) -> Any:
        if name == "motion_lm_small":
            raise WeightsError("motion_lm_small: the weights are gone")
        return run(name)

    monkeypatch.setattr(server.studio.models, "run", missing)
    put(page, "#slots textarea", "a person bows")
    page.execute_script(TICK.format("!==", "text_to_motion_masked"))
    put(page, "#seconds", "1")
    one(page, "#go").click()
    until(page, DONE)
    assert one(page, ".cannot").text == "motion_lm_small cannot: motion_lm_small: the weights are gone"


def test_nothing_that_is_typed_runs(page: Any) -> None:
    text = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script> walk"
    ask(page, text)
    until(page, DONE)
    assert one(page, "figcaption").text == text
    assert not page.execute_script("return window.hacked")
    assert not page.find_elements("css selector", "#result img, #history img")


def test_a_dropped_motion_is_looked_at_and_kept_in_part(page: Any, walk: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "<img src=x onerror=hacked=1>.bvh"
    shutil.copy(walk, hostile)
    page.execute_script("studio.choose('motion_editing')")
    one(page, "#file-motion").send_keys(str(hostile))
    until(page, "document.querySelectorAll('figure').length === 1")
    page.execute_script(
        "motionPlayer.play(false); motionPlayer.seek(0.5); keep.value = 'keyframes'; studio.showKeeping()"
    )
    one(page, "#this-frame").click()
    assert one(page, "#frames").get_attribute("value") == "10"
    page.execute_script("keep.value = 'prefix'; studio.showKeeping()")
    put(page, "#keep_seconds", "0.5")
    ask(page, "somebody runs", seconds="1.5")
    until(page, DONE)
    assert page.execute_script("return studio.job.call") == "edit"
    assert "1.5 s" in one(page, ".made").text
    page.execute_script("const s = document.querySelectorAll('.facts select')[1]; s.value = '0'; s.onchange()")
    assert "somebody runs" in one(page, ".drop output").text, "a motion made here is what the next task starts from"
    assert not page.execute_script("return window.hacked")


def test_a_timeline_is_written_moved_and_made(page: Any) -> None:
    from selenium.webdriver import Keys

    one(page, "#timeline-show").click()
    put(page, "#segment-text", "a person walks forward")
    put(page, "#segment-seconds", "1")
    one(page, "#segment-add").click()
    put(page, "#segment-text", "a person bows")
    put(page, "#segment-seconds", "0.9")
    blocks = page.find_elements("css selector", ".segment")
    assert [block.text for block in blocks] == ["a person walks forward", "a person bows"]
    blocks[0].send_keys(Keys.SHIFT + Keys.ARROW_RIGHT)
    said = page.execute_script("return studio.timeline.written()")
    assert [(part["start"], part["seconds"]) for part in said] == [(0, 1.1), (1.1, 0.9)], "what follows moves along"
    page.execute_script(f"{TICK.format('===', 'text_to_motion_small')}")
    one(page, "#timeline-make").click()
    until(page, DONE)
    motion = page.execute_script("return studio.job.motions[0]")
    assert motion["seconds"] == 2.0
    assert [part["text"] for part in motion["info"]["plan"]["segments"]] == ["a person walks forward", "a person bows"]
    before = page.execute_script("return studio.job.key")
    page.find_elements("css selector", ".segment")[1].click()
    one(page, "#segment-again").click()
    until(page, f"studio.job.key !== '{before}' && {DONE}")
    asked = page.execute_script("return studio.job.asked")
    assert (asked["clip"], asked["text"], asked["frames"]) == (f"{before}/1", "a person bows", list(range(22)))


@pytest.mark.parametrize("width", [390, 1280])
def test_words_of_speech_stand_under_the_waveform(page: Any, walk: Path, tmp_path: Path, width: int) -> None:
    """Three words a second are read on a phone; what is longer than its room is cut, and nothing of it is markup."""
    soundfile.write(tmp_path / "talk.wav", np.zeros(12 * 8000), 8000)
    nasty = "<img src=x onerror=hacked=1>" * 9
    said = [(nasty if i == 8 else f"word{i}", i / 3, (i + 1) / 3) for i in range(30)]
    read = motion_io.load(walk)
    still = Clip(np.repeat(read.joints[:1], 240, 0), 20.0, read.skeleton)
    data = html.page_data([still.with_(audio=tmp_path / "talk.wav", words=tuple(said))])
    screen = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 640}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        page.execute_script("empty.hidden = true; motionPlayer.show(arguments[0]); motionPlayer.seek(3.1)", data)
        until(page, "document.querySelector('#said .heard')?.textContent === 'word9'")
        assert one(page, "#said p").get_attribute("textContent") == "".join(f"{text} " for text, _, _ in said)
        assert not page.execute_script("return window.hacked")
        assert not page.find_elements("css selector", "#said img")
        assert "“word9”" in one(page, "#scrub").get_attribute("aria-valuetext")
        assert "its words" in one(page, "#wave").get_attribute("aria-label")
        boxes = page.execute_script(
            """const strip = said.getBoundingClientRect(), [from, to] = motionPlayer.sound.span(3.1);
            const at = (x) => from + (x - strip.left) / strip.width * (to - from);
            return [...said.querySelectorAll('span')].map((e) => {
              const {left, right} = e.getBoundingClientRect();
              return [at(left), left, right, e.scrollWidth <= e.clientWidth];
            })"""
        )
        assert [start for start, *_ in boxes] == pytest.approx([start for _, start, _ in said], abs=0.01)
        assert [i for i, (*_, whole) in enumerate(boxes) if not whole] == [8], "all but one are read whole"
        for row in (boxes[::2], boxes[1::2]):
            assert all(before[2] <= after[1] for before, after in pairwise(row))
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
        data["audio"]["words"] = []
        page.execute_script("motionPlayer.show(arguments[0])", data)
        assert not one(page, "#said").is_displayed()
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_what_can_be_done_with_a_file_comes_from_the_cards(page: Any) -> None:
    ways = page.execute_script("return studio.ways('motion').map(([label]) => label)")
    assert "Say in a sentence what a motion shows" in ways
    assert "Keep the upper body and make the rest anew" in ways
    assert page.execute_script("return studio.ways('audio').length") >= 1
    page.execute_script("studio.dropped([new File(['a person walks\\tlow\\n\\nsomebody runs\\n'], 'prompts.txt')])")
    until(page, "document.querySelector('#slots textarea').value === 'a person walks\\nsomebody runs'")
    page.execute_script("studio.dropped([new File(['x'], 'song.exe')])")
    assert "song.exe: files that end in .exe are not read" in until(page, "problem.textContent")


def test_what_is_wrong_is_said_in_the_page_and_the_next_request_works(page: Any) -> None:
    page.execute_script(TICK.format("===", "text_to_motion_small"))
    one(page, "#go").click()
    assert "text" in until(page, "problem.textContent")
    ask(page, "a person walks", seconds="600", samples="8")
    until(page, "problem.textContent.includes('1200 s in all')")
    page.get(page.current_url.split("?")[0].split("#")[0] + "?r=00000000000000000000")
    assert "nothing was asked" in until(page, "problem.textContent")
    ask(page, "a person walks")
    until(page, DONE)
    assert one(page, "#problem").text == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_is_used_by_keyboard_alone(page: Any, scheme: str) -> None:
    from selenium.webdriver import ActionChains, Keys

    screen = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        page.execute_script("document.querySelector('#slots textarea').focus()")
        ask_keys = ActionChains(page).send_keys("a person walks")
        ask_keys.key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
        page.execute_script("document.activeElement.blur()")
        until(page, DONE)
        assert page.execute_script("return document.documentElement.scrollWidth") <= 390
        back = page.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, back[4:-1].split(", "))) < 200) == (scheme == "dark"), back
        playing = page.execute_script("return motionPlayer.playing")
        ActionChains(page).send_keys(" ").perform()
        assert page.execute_script("return motionPlayer.playing") is not playing
        page.execute_script("document.querySelector('#slots textarea').focus()")
        ActionChains(page).send_keys("l").perform()
        assert page.execute_script("return motionPlayer.loop"), "typing is no command"
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def serious(browser: Any) -> list[str]:
    """What axe finds in the page that is open, of all its rules."""
    axe = os.environ.get("MOTION_AXE")
    if axe is None:
        pytest.skip("needs axe-core (npm install axe-core): its axe.min.js in MOTION_AXE")
    # Not execute_script: the page's policy would rightly refuse what axe evaluates there.
    browser.execute_cdp_cmd("Runtime.evaluate", {"expression": Path(axe).read_text(encoding="utf-8")})
    check = "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(done)"
    found = browser.execute_async_script(check)["violations"]
    return [rule["help"] for rule in found if rule["impact"] in ("serious", "critical")]


@pytest.mark.slow
def test_axe_finds_nothing_serious_in_the_studio(page: Any) -> None:
    assert serious(page) == []
    ask(page, "a person waves", samples="2")
    until(page, DONE)
    one(page, "#timeline-show").click()
    assert serious(page) == []
    page.execute_script("go.textContent = ''")
    assert serious(page) == ["Buttons must have discernible text"]  # it does look


@pytest.mark.slow
def test_axe_finds_nothing_serious_in_a_page_that_goes_home(browser: Any, tmp_path: Path, walk: Path) -> None:
    html.write(motion_io.load(walk), tmp_path / "walk.html")
    browser.get((tmp_path / "walk.html").as_uri())
    until(browser, "window.motionPlayer && motionPlayer.drawn")
    assert serious(browser) == []
    browser.get("about:blank")
    browser.get_log("performance")  # the next test asks where its own page went


@pytest.mark.slow
def test_the_language_model_talks(page: Any) -> None:
    try:
        weight_files.find("smollm2-135m")
    except WeightsError:
        pytest.skip("smollm2-135m is not on this machine")
    page.execute_script("document.getElementById('chat').open = true")
    put(page, "#say", "a person walks forward")
    one(page, "#say-make").click()
    until(page, "!document.getElementById('say-caption').disabled", 120)
    one(page, "#say-caption").click()
    until(page, "document.querySelectorAll('#talk li').length === 4")
    put(page, "#say", "and sits down")
    one(page, "#say-continue").click()
    until(page, "document.querySelectorAll('#talk li').length === 6")
    said = [line.text for line in page.find_elements("css selector", "#talk li")]
    assert said[1].startswith("A motion of")
    assert "person" in said[3]
    assert said[5].startswith("A motion of")
