"""The models of the process: each loaded once, whoever asks, and the one used longest ago leaves first."""

from __future__ import annotations

import threading
from collections import Counter
from types import SimpleNamespace

import pytest

from motion_platform.core.errors import UsageError, WeightsError
from motion_platform.model import run
from motion_platform.studio import models
from motion_platform.studio.models import Models


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each name was loaded; "gone" is not there. Nothing is read."""
    count: Counter[str] = Counter()

    def load_run(name: str, device: object) -> SimpleNamespace:
        if name == "gone":
            raise WeightsError("gone: no such model")
        count[name] += 1
        return SimpleNamespace(name=name, device=device, task=SimpleNamespace(task="text_to_motion"))

    monkeypatch.setattr(run, "load_run", load_run)
    return count


def test_a_model_is_loaded_once(loaded: Counter[str]) -> None:
    house = Models()
    assert house.run("a") is house.run("a")
    assert house.run("b") is not house.run("a")
    assert loaded == {"a": 1, "b": 1}


def test_the_one_used_longest_ago_leaves(loaded: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MOST", 2)
    house = Models()
    for name in ("a", "b", "a", "c"):
        house.run(name)
    assert list(house.runs) == ["a", "c"]
    house.run("a")
    assert loaded["a"] == 1
    house.run("b")
    assert loaded["b"] == 2


def test_threads_that_ask_together_wait_for_one_load(loaded: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    house, inside, go = Models(), threading.Event(), threading.Event()
    slow = run.load_run

    def load_run(name: str, device: object) -> SimpleNamespace:
        inside.set()
        assert go.wait(600)
        return slow(name, device)

    monkeypatch.setattr(run, "load_run", load_run)
    threads = [threading.Thread(target=house.run, args=("a",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert inside.wait(600)
    assert house.loading == "a"
    go.set()
    for thread in threads:
        thread.join(600)
    assert loaded == {"a": 1}
    assert house.loading is None


def test_a_failed_load_is_forgotten(loaded: Counter[str]) -> None:
    house = Models()
    with pytest.raises(WeightsError, match="gone"):
        house.run("gone")
    assert house.loading is None
    assert house.runs == {}
    assert house.space("gone") is None
    assert house.space("a").name == "a"


def test_a_model_of_another_task_is_put_to_it_where_it_can() -> None:
    house = Models()
    assert house.pipeline("text_to_motion", "text_to_motion_small").run.task.task == "text_to_motion"
    with pytest.raises(UsageError, match=r"^model: "):
        house.pipeline("music_to_conductor", "text_to_motion_small")
