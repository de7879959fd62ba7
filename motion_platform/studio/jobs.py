"""The queue: one piece of work at a time, people in turn, answers kept while there is room and made again after."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from motion_platform.core.errors import MotionPlatformError, UsageError

log = logging.getLogger("motion_platform")

MOST_WAITING, MOST_EACH = 200, 12
"""Jobs that wait: of everybody, of one person."""
MOST_BYTES = 256 << 20
"""Of motions kept in memory."""


class Stopped(Exception):
    """The job was taken back while it ran."""


@dataclass
class Job:
    """One request and its answer. version grows with every change, so that a page can wait for the next one.

    state: waiting, running, done, failed or stopped. answer: what is known so far (plain values). clips: its motions.
    """

    key: str
    call: str
    asked: Any
    models: list[str]
    state: str = "waiting"
    error: str | None = None
    doing: str = ""
    part: float = 0.0
    version: int = 0
    answer: dict[str, Any] = field(default_factory=dict)
    clips: list[Any] = field(default_factory=list)
    people: set[str] = field(default_factory=set)
    stop: bool = False
    since: float = field(default_factory=time.monotonic)
    took: float | None = None

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "stopped")

    def tell(self, **changes: Any) -> None:
        """Change something that pages see. Stopped when the job was taken back."""
        for name, value in changes.items():
            setattr(self, name, value)
        self.version += 1
        if self.stop and not self.over:
            raise Stopped

    def progress(self, name: str, done: int, total: int) -> None:
        """How far the work is; for the pipelines."""
        self.tell(doing=name, part=done / max(total, 1))


class Jobs:
    """work(job): does a job, filling its answer."""

    def __init__(self, work: Callable[[Job], None]) -> None:
        self.work = work
        self.all: OrderedDict[str, Job] = OrderedDict()
        self.waiting: OrderedDict[str, deque[Job]] = OrderedDict()  # person -> jobs; the first person is next
        self.running: Job | None = None
        self.condition = threading.Condition()
        self.closed = False
        self.thread = threading.Thread(target=self._serve, name="studio-jobs", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def close(self) -> None:
        """Stop after the piece of work that runs."""
        with self.condition:
            self.closed = True
            if self.running is not None:
                self.running.stop = True
            self.condition.notify_all()

    def wait_until_idle(self) -> None:
        """Until nobody waits and nothing runs, or the queue is closed."""
        with self.condition:
            self.condition.wait_for(lambda: self.closed or not (self.waiting or self.running))

    def submit(self, job: Job, person: str) -> Job:
        """Put a job into the queue, or join the one that is the same. UsageError where the queue is full."""
        with self.condition:
            known = self.all.get(job.key)
            if known is not None and known.state not in ("failed", "stopped") and not known.stop:
                known.people.add(person)
                self.all.move_to_end(job.key)
                return known
            own = self.waiting.get(person, deque())
            if len(own) >= MOST_EACH or sum(map(len, self.waiting.values())) >= MOST_WAITING:
                raise UsageError(f"the queue is full ({len(own)} of yours wait); wait until some are done")
            job.people.add(person)
            self.all[job.key] = job
            self.waiting.setdefault(person, deque()).append(job)
            self.condition.notify_all()
            return job

    def get(self, key: str) -> Job | None:
        with self.condition:
            if key in self.all:
                self.all.move_to_end(key)
            return self.all.get(key)

    def place(self, job: Job) -> int:
        """How many jobs come before this one: 0 for the next and for one that does not wait."""
        with self.condition:
            rounds = {person: list(own) for person, own in self.waiting.items()}
        before, level = 0, 0
        while any(level < len(own) for own in rounds.values()):
            for own in rounds.values():
                if level < len(own):
                    if own[level] is job:
                        return before + 1
                    before += 1
            level += 1
        return 0

    def take_back(self, job: Job, person: str) -> None:
        """Stop a job that nobody else waits for."""
        with self.condition:
            job.people.discard(person)
            if job.people or job.over:
                return
            job.stop = True
            for own in self.waiting.values():
                if job in own:
                    own.remove(job)
                    job.state, job.version = "stopped", job.version + 1

    def _next(self) -> Job | None:
        """The next job, people in turn; None when nobody waits."""
        for person in list(self.waiting):
            own = self.waiting.pop(person)
            if own:
                job = own.popleft()
                if own:
                    self.waiting[person] = own  # at the end: the others come first
                return job
        return None

    def _serve(self) -> None:
        while True:
            with self.condition:
                while (job := self._next()) is None and not self.closed:
                    self.condition.wait()
                if job is None or self.closed:
                    return
                self.running = job
            self._do(job)
            with self.condition:
                self.running = None
                self._forget()
                self.condition.notify_all()

    def _do(self, job: Job) -> None:
        started = time.monotonic()
        try:
            job.tell(state="running")
            self.work(job)
            state, error = "done", None
        except Stopped:
            state, error = "stopped", None
        except MotionPlatformError as problem:
            state, error = "failed", str(problem)
        except MemoryError:
            state, error = "failed", "there is not enough memory for this; ask for less at once"
        except Exception as problem:  # a defect must not end the server; the log says where it is
            log.exception("job %s", job.key)
            state, error = "failed", f"unexpected {type(problem).__name__}: {problem}"
        job.took = time.monotonic() - started
        job.state, job.error, job.doing = state, error, ""
        job.version += 1

    def _forget(self) -> None:
        """Let the answers go that were looked at longest ago; their links make them again."""
        total = sum(clip.joints.nbytes for job in self.all.values() for clip in job.clips)
        for key in [key for key, job in self.all.items() if job.over]:
            if total <= MOST_BYTES and len(self.all) <= 1000:
                return
            total -= sum(clip.joints.nbytes for clip in self.all.pop(key).clips)
