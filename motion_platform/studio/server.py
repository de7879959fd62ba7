"""The routes of the REST interface and of the page, and the process that serves them."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from motion_platform.core.errors import MotionPlatformError, OutputError, UsageError
from motion_platform.studio.jobs import Job, Jobs
from motion_platform.studio.models import Models
from motion_platform.studio.offers import Offers, spaces_of
from motion_platform.studio.security import Guard
from motion_platform.studio.store import MOTION, VOTE, Store, shown
from motion_platform.studio.work import Work

MOST_JSON = 256 << 10
"""Bytes of a request that is no upload."""
DRAINED = 16
"""How many times the largest upload is read, and thrown away, so that who sends too much hears why."""
LONGEST_WAIT = 60.0
"""Seconds that one request waits for an answer."""
PAGE_FILES = ("studio.css", "base.js", "studio.js", "timeline.js", "home.js", "past.js", "talk.js")
Handler = Callable[[Request], Awaitable[Response]]


class Studio:
    """Everything of one server. warm: load the models while people look."""

    def __init__(self, store: Store, *, device: str = "cpu", warm: bool = True, models: Mapping[str, Any] = {}) -> None:
        self.store = store
        self.offers = Offers(tuple(models))
        self.models = Models(device)
        self.warm = warm
        self.work = Work(self.offers, self.models, store, lambda key: self.jobs.get(key))
        self.jobs = Jobs(self.work.do)

    def start(self) -> None:
        """Start the queue, and load the models while people look."""
        self.jobs.start()
        if self.warm:
            threading.Thread(target=self._load_all, name="studio-models", daemon=True).start()

    def _load_all(self) -> None:
        """The default model of each task and what measures it, then the other models: those that need words first."""
        cards = sorted(self.offers.tasks.values(), key=lambda card: not any(s in card.texts() for s in card.required()))
        wanted = [name for card in cards for name in (*self.offers.for_task(card)[:1], *spaces_of(card))]
        wanted += [name for card in cards for name in self.offers.for_task(card)]
        for name in dict.fromkeys(wanted):
            self.jobs.wait_until_idle()  # who asks comes first
            if self.jobs.closed:
                return
            with contextlib.suppress(MotionPlatformError):  # who asks for it is told
                self.models.run(name)

    # ---------------------------------------------------------------- answers

    async def tasks(self, request: Request) -> Response:
        return JSONResponse(self.offers.as_data())

    async def status(self, request: Request) -> Response:
        waiting = sum(len(own) for own in self.jobs.waiting.values())
        return JSONResponse(
            {
                "waiting": waiting,
                "running": self.jobs.running is not None,
                "loading": self.models.loading,
                "loaded": list(self.models.runs),
                "most_bytes": self.store.most,
            }
        )

    async def call(self, request: Request) -> Response:
        """POST /api/generate, edit, caption, seconds: the answer, where it is there within ``?wait=`` seconds."""
        values = await read_json(request)
        job = await run_in_threadpool(self.work.job, request.path_params["call"], values)
        job = self.jobs.submit(job, person_of(request))
        return await self._when_over(request, job)

    async def job(self, request: Request) -> Response:
        """GET /api/jobs/KEY?wait=SECONDS&seen=VERSION: as soon as there is something newer than was seen."""
        job = await self._find(request)
        if "seen" in request.query_params:
            seen, until = number_of(request, "seen"), time.monotonic() + wait_of(request)
            while job.version <= seen and not job.over and time.monotonic() < until:
                await anyio.sleep(0.03)
            return JSONResponse(self._shown(job))
        return await self._when_over(request, job)

    async def stop(self, request: Request) -> Response:
        job = await self._find(request)
        self.jobs.take_back(job, person_of(request))
        return JSONResponse(self._shown(job))

    async def player(self, request: Request) -> Response:
        """GET /api/jobs/KEY/player: what the player shows, of all motions that there are."""
        job = await self._find(request)
        return JSONResponse(await run_in_threadpool(self.work.player, list(job.clips)) if job.clips else None)

    async def motion(self, request: Request) -> Response:
        """GET /api/jobs/KEY/NUMBER.FORMAT?rig=ID: one motion to take home, on the character of an upload."""
        job, number, ending = (
            await self._over(request),
            int(request.path_params["number"]),
            request.path_params["ending"],
        )
        path = await run_in_threadpool(self.work.file, job, number, ending, request.query_params.get("rig"))
        return FileResponse(path, filename=self.work.name(job, number, ending), media_type="application/octet-stream")

    async def archive(self, request: Request) -> Response:
        """GET /api/jobs/KEY.zip?formats=bvh,glb: all of them."""
        job = await self._over(request)
        formats = request.query_params.get("formats", "bvh,glb,npz").split(",")
        body = await run_in_threadpool(self.work.archive, job, formats)
        name = f"motions_{job.key[:8]}.zip"
        return Response(
            body, media_type="application/zip", headers={"content-disposition": f'attachment; filename="{name}"'}
        )

    async def upload(self, request: Request) -> Response:
        """POST /api/files?name=walk.bvh with the file's bytes: its id, and what it is."""
        name = request.query_params.get("name", "")
        if int(request.headers.get("content-length") or 0) > DRAINED * self.store.most:
            raise TooLarge(name, self.store.most)
        part = self.store.begin(name)
        try:
            size = 0
            with part.open("wb") as file:
                async for block in request.stream():
                    size += len(block)
                    if size <= self.store.most:
                        file.write(block)
                    elif size > DRAINED * self.store.most:
                        break
            if size > self.store.most:
                raise TooLarge(name, self.store.most)
            if not size:
                raise UsageError(f"{shown(name)}: is empty")
            key = await run_in_threadpool(self.store.keep, part, name, request.query_params.get("asf"))
        except OSError as error:
            raise OutputError(f"{shown(name)}: could not be kept: {error.strerror or error}") from error
        finally:
            part.unlink(missing_ok=True)
        return JSONResponse(await run_in_threadpool(self.work.facts, key))

    async def uploaded(self, request: Request) -> Response:
        """GET /api/files/ID/player: the first motion of an upload, for the player."""
        key = request.path_params["key"]
        if self.store.upload(key).suffix not in MOTION:
            raise UsageError(f"{self.store.upload(key).name}: holds no motion")
        return JSONResponse(await run_in_threadpool(lambda: self.work.player([self.work.clip(key)])))

    async def vote(self, request: Request) -> Response:
        """POST /api/votes {"better": "KEY/1", "worse": ["KEY/2"], "blind": true}: rows of the table of preferences."""
        values = await read_json(request)
        worse = values.get("worse")
        if not isinstance(values.get("better"), str) or not isinstance(worse, list) or not 1 <= len(worse) <= 32:
            raise UsageError('votes: send {"better": "KEY/NUMBER", "worse": ["KEY/NUMBER", ...], "blind": true}')
        rows = []
        for name in worse:
            (task, said), (_, other) = self._voted(values["better"]), self._voted(str(name))
            row = dict.fromkeys(VOTE, "") | {"time": time.strftime("%Y-%m-%dT%H:%M:%S"), "task": task}
            row |= {"text": said["captions"][0] if said["captions"] else "", "seed": said["info"].get("seed", "")}
            row |= {"better_model": said["model"], "better": values["better"]}
            row |= {"worse_model": other["model"], "worse": name, "blind": bool(values.get("blind"))}
            rows.append(row | {"voter": person_of(request)[:12]})
        await run_in_threadpool(self.store.vote, rows)
        return JSONResponse({"rows": len(rows)})

    async def votes(self, request: Request) -> Response:
        """GET /api/votes.csv"""
        headers = {"content-disposition": 'attachment; filename="votes.csv"'}
        return PlainTextResponse(await run_in_threadpool(self.store.votes), media_type="text/csv", headers=headers)

    def _voted(self, name: str) -> tuple[str, dict[str, Any]]:
        key, _, number = name.partition("/")
        job = self.jobs.get(key)
        motions = job.answer.get("motions", []) if job is not None else []
        if job is None or not number.isdecimal() or not 1 <= int(number) <= len(motions):
            raise UsageError(f"votes: there is no motion {shown(name)}")
        return job.asked.task, motions[int(number) - 1]

    # ---------------------------------------------------------------- finding and waiting

    async def _find(self, request: Request) -> Job:
        """The job of a link, made again where it has left the memory. UsageError for a key of none."""
        key = request.path_params["key"]
        job = self.jobs.get(key)
        if job is None:
            fresh = await run_in_threadpool(self.work.again, key)
            if fresh is None:
                raise Missing(f"{shown(key)}: nothing was asked under this key")
            job = self.jobs.submit(fresh, person_of(request))
        return job

    async def _over(self, request: Request) -> Job:
        job = await self._find(request)
        until = time.monotonic() + LONGEST_WAIT
        while not job.over and time.monotonic() < until:
            await anyio.sleep(0.03)
        if job.state != "done":
            raise UsageError(job.error or "the motions are not there yet")
        return job

    async def _when_over(self, request: Request, job: Job) -> Response:
        until = time.monotonic() + wait_of(request)
        while not job.over and time.monotonic() < until:
            await anyio.sleep(0.03)
        status = 200 if job.state == "done" else 422 if job.over else 202
        return JSONResponse(self._shown(job), status_code=status)

    def _shown(self, job: Job) -> dict[str, Any]:
        error = None if job.error is None else self.work.plain(job.error)
        return {
            "key": job.key,
            "call": job.call,
            "asked": job.asked.model_dump(),
            "state": job.state,
            "error": error,
            "doing": job.doing,
            "part": round(job.part, 3),
            "before": self.jobs.place(job) if job.state == "waiting" else 0,
            "version": job.version,
            "took": job.took,
            **job.answer,
        }

    # ---------------------------------------------------------------- the application

    def app(self, *, page: bool = True, host: str = "127.0.0.1", token: str | None = None) -> Any:
        """The ASGI application. page: with the web page; else the REST interface alone."""
        routes = [
            Route("/api/tasks", self.tasks),
            Route("/api/status", self.status),
            Route("/api/files", self.upload, methods=["POST"]),
            Route("/api/files/{key}/player", self.uploaded),
            Route("/api/votes", self.vote, methods=["POST"]),
            Route("/api/votes.csv", self.votes),
            Route("/api/jobs/{key}.zip", self.archive),
            Route("/api/jobs/{key}", self.job),
            Route("/api/jobs/{key}", self.stop, methods=["DELETE"]),
            Route("/api/jobs/{key}/player", self.player),
            Route("/api/jobs/{key}/{number:int}.{ending}", self.motion),
            Route("/api/{call}", self.call, methods=["POST"]),
        ]
        if page:
            routes += [Route("/", self._page), Route("/page/{name}", self._page_file)]
        handlers: dict[Any, Any] = {MotionPlatformError: self._refused}

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette):
            self.start()
            yield
            self.jobs.close()

        return Guard(Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan), host, token)

    async def _refused(self, request: Request, error: Exception) -> Response:
        status = getattr(error, "status", 422)
        return JSONResponse({"error": self.work.plain(" ".join(str(error).split()))}, status_code=status)

    async def _page(self, request: Request) -> Response:
        return Response(page_text(), media_type="text/html")

    async def _page_file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name == "player.js":
            from motion_platform.motion.render import html

            return Response(html.player_script(), media_type="text/javascript")
        if name == "player.css":
            folder = resources.files("motion_platform.motion.render")
            return Response((folder / name).read_text(encoding="utf-8"), media_type="text/css")
        if name not in PAGE_FILES:
            raise Missing(f"{shown(name)}: there is no such file")
        text = (resources.files("motion_platform.studio") / "page" / name).read_text(encoding="utf-8")
        return Response(text, media_type="text/css" if name.endswith(".css") else "text/javascript")


class Missing(UsageError):
    """What a key or name stands for is not there."""

    status = 404


class TooLarge(UsageError):
    """More bytes than one upload may have."""

    status = 413

    def __init__(self, name: str, most: int) -> None:
        super().__init__(f"{shown(name)}: is too large; at most {most >> 20} MB are taken")


def page_text() -> str:
    """The page, with the player's controls in it."""
    controls = resources.files("motion_platform.motion.render") / "player_controls.html"
    template = (resources.files("motion_platform.studio") / "page" / "studio.html").read_text(encoding="utf-8")
    return template.replace("{{controls}}", controls.read_text(encoding="utf-8"))


async def read_json(request: Request) -> Any:
    """The values of a request. UsageError for what is no JSON or too long."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise UsageError("send JSON, with the header Content-Type: application/json")
    body = b""
    async for block in request.stream():
        body += block
        if len(body) > MOST_JSON:
            raise TooLarge("request", MOST_JSON)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the request is no JSON: {error}") from error


def person_of(request: Request) -> str:
    """Who asks, for taking turns: the name that a page made for itself, else the address."""
    said = request.headers.get("x-person", "")
    return said if re.fullmatch(r"[\w-]{4,64}", said) else (request.client.host if request.client else "somebody")


def wait_of(request: Request) -> float:
    return min(max(number_of(request, "wait"), 0.0), LONGEST_WAIT)


def number_of(request: Request, name: str) -> float:
    said = request.query_params.get(name, "0")
    try:
        return float(said)
    except ValueError as error:
        raise UsageError(f"{name}: got {shown(said)}; a number is wanted") from error
