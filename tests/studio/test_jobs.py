from __future__ import annotations

import threading

import pytest

from motion_platform.core.errors import UsageError
from motion_platform.studio.jobs import MOST_EACH, Job, Jobs


def job(key: str) -> Job:
    return Job(key, "generate", None, ["model"])


def wait(jobs: Jobs, *keys: str) -> None:
    done = threading.Event()
    for _ in range(2000):
        if all(jobs.get(key).over for key in keys):
            return
        done.wait(0.005)
    raise AssertionError([jobs.get(key).state for key in keys])


def test_people_take_turns() -> None:
    order: list[str] = []
    jobs = Jobs(lambda each: order.append(each.key))
    for key in ("a1", "a2", "a3"):
        jobs.submit(job(key), "ann")
    late = jobs.submit(job("b1"), "bob")
    assert (jobs.place(jobs.get("a1")), jobs.place(late), jobs.place(jobs.get("a3"))) == (1, 2, 4)
    jobs.start()
    wait(jobs, "a1", "a2", "a3", "b1")
    assert order == ["a1", "b1", "a2", "a3"]
    jobs.close()


def test_the_same_request_is_done_once() -> None:
    count: list[str] = []
    jobs = Jobs(lambda each: count.append(each.key))
    first = jobs.submit(job("same"), "ann")
    assert jobs.submit(job("same"), "bob") is first
    jobs.start()
    wait(jobs, "same")
    assert jobs.submit(job("same"), "eve") is first
    assert count == ["same"]
    jobs.close()


def test_a_failure_is_told_and_the_queue_goes_on() -> None:
    def work(each: Job) -> None:
        if each.key == "bad":
            raise UsageError("text: is empty")
        if each.key == "defect":
            raise ZeroDivisionError("by zero")

    jobs = Jobs(work)
    jobs.start()
    for key in ("bad", "defect", "good"):
        jobs.submit(job(key), "ann")
    wait(jobs, "bad", "defect", "good")
    assert jobs.get("bad").error == "text: is empty"
    assert "ZeroDivisionError" in jobs.get("defect").error
    assert jobs.get("good").state == "done"
    assert jobs.submit(job("bad"), "ann").state == "waiting", "what failed may be asked for again"
    jobs.close()


def test_a_job_is_taken_back_by_the_last_who_wants_it() -> None:
    started, go = threading.Event(), threading.Event()

    def work(each: Job) -> None:
        started.set()
        go.wait(10)
        each.progress("walk", 1, 2)

    jobs = Jobs(work)
    running, waiting = jobs.submit(job("1"), "ann"), jobs.submit(job("2"), "ann")
    jobs.submit(job("2"), "bob")
    jobs.start()
    assert started.wait(10)
    jobs.take_back(waiting, "ann")
    assert waiting.state == "waiting", "bob still wants it"
    jobs.take_back(waiting, "bob")
    assert waiting.state == "stopped"
    jobs.take_back(running, "ann")
    go.set()
    wait(jobs, "1")
    assert running.state == "stopped"
    jobs.close()


def test_a_full_queue_says_so() -> None:
    jobs = Jobs(lambda each: None)
    for number in range(MOST_EACH):
        jobs.submit(job(str(number)), "ann")
    with pytest.raises(UsageError, match="queue is full"):
        jobs.submit(job("more"), "ann")
    jobs.submit(job("other"), "bob")
