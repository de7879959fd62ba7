"""From a request to its answer, by the pipelines; and from an answer to what a page plays and a person takes home."""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motion_platform.core.errors import DataError, MotionPlatformError, UsageError, suggest
from motion_platform.studio.asking import Asked, Caption, Edit, Generate, Seconds, check, key_of
from motion_platform.studio.formats import FORMATS
from motion_platform.studio.jobs import Job
from motion_platform.studio.models import Models
from motion_platform.studio.offers import Offers
from motion_platform.studio.store import CHARACTERS, MOTION, Store, safe_name, shown

if TYPE_CHECKING:
    from motion_platform.motion.clip import Clip
    from motion_platform.pipelines.pipeline import Pipeline

MOST_SHOWN = 6_000_000
"""Coordinates that the page is given at once: 75 minutes of 22 joints at 20 fps."""
LONGEST_SOUND = 600.0
"""Seconds of a recording that are moved to without ``seconds``."""


class Work:
    """Does jobs. find: the job of a key, for motions that a call takes from an earlier answer."""

    def __init__(self, offers: Offers, models: Models, store: Store, find: Callable[[str], Job | None]) -> None:
        self.offers, self.models, self.store, self.find = offers, models, store, find
        self.writing = threading.Lock()

    # ---------------------------------------------------------------- asking and answering

    def job(self, call: str, values: Any) -> Job:
        """The job of a call, checked. Errors: UnknownName, UsageError."""
        asked = check(call, values)
        models = self.offers.check(asked.task, asked.models())
        for name in asked.files():
            source = name.partition("/")[0]
            if self.find(source) is None and self.store.asked(source) is None:
                self.store.upload(source)
        weights = {name: self.offers.weights(name) for name in models}
        key = key_of(call, asked, weights)
        self.store.remember(key, call, asked.model_dump(), weights)
        return Job(key, call, asked, models)

    def again(self, key: str) -> Job | None:
        """The job of a link, made anew from what was asked; None for a key that was never given. UsageError for one
        that other weights answered."""
        known = self.store.asked(key)
        if known is None:
            return None
        changed = [
            name
            for name, sha256 in known["weights"].items()
            if name not in self.offers.models or self.offers.weights(name) != sha256
        ]
        if changed:
            raise UsageError(f"this link was made with other weights of {', '.join(changed)}: ask again for a new one")
        return self.job(known["call"], known["values"])

    def do(self, job: Job) -> None:
        """Answer with every model; one that cannot says why, and the job fails only where all of them cannot."""
        answer: dict[str, Any] = {"motions": [], "captions": [], "seconds": [], "cannot": []}
        job.tell(answer=answer)
        for model in job.models:
            job.tell(doing=f"loading {model}" if model not in self.models.runs else model, part=0.0)
            try:
                self._answer(job, self.models.pipeline(job.asked.task, model), model)
            except MotionPlatformError as error:
                answer["cannot"].append({"model": model, "error": self.plain(str(error))})
        if len(answer["cannot"]) == len(job.models):
            raise UsageError(answer["cannot"][0]["error"])
        self._measure(job)

    def _answer(self, job: Job, pipeline: Pipeline, model: str) -> None:
        asked: Any = job.asked
        if isinstance(asked, Seconds):
            job.answer["seconds"].append({"model": model, "seconds": pipeline.seconds(asked.text)})
        elif isinstance(asked, Caption):
            from motion_platform.pipelines import caption

            names = asked.clips if isinstance(asked.clips, list) else [asked.clips]
            clips = [self.clip(name) for name in names]
            for found in caption.caption_clips(pipeline.run, clips, samples=asked.samples, seed=asked.seed):
                job.answer["captions"].append({"model": model, **vars(found)})
        else:
            self._add(job, model, self._clips(job, pipeline, asked))
        job.tell()

    def _clips(self, job: Job, pipeline: Pipeline, asked: Asked) -> list[Clip]:
        drawn = {name: getattr(asked, name) for name in ("samples", "seed", "guidance", "sampler", "steps")}
        if isinstance(asked, Edit):
            words = {name: getattr(asked, name) for name in ("keep", "text", "low_text", "seconds", "keep_seconds")}
            return pipeline.edit(self.clip(asked.clip), frames=asked.frames, **words, **drawn)
        assert isinstance(asked, Generate)
        words = {
            name: getattr(asked, name)
            for name in ("text", "low_text", "style", "timeline", "plan", "strict", "seconds")
        }
        music = asked.music if asked.music is None else [self.recording(name, asked) for name in asked.files()]
        motion = None if asked.motion is None else self.clip(asked.motion)
        give = {slot: self._given(pipeline, slot, value, asked) for slot, value in asked.give.items()}
        if motion is not None:
            music = None
        return pipeline(
            music=music,
            motion=motion,
            give=give,
            amplitude=asked.amplitude,
            progress=job.progress,
            **words,
            **drawn,
        )

    def _given(self, pipeline: Pipeline, slot: str, value: Any, asked: Generate) -> Any:
        """A slot's value: the file of an upload where the slot reads one."""
        kind = pipeline.run.task.reads.get(slot)
        if isinstance(value, list):
            return [self._given(pipeline, slot, each, asked) for each in value]
        if kind == "audio":
            return self.recording(str(value), asked)
        if kind == "words" and Path(str(value).strip()).suffix.lower() in (".txt", ".textgrid"):
            raise UsageError(
                f"{slot}: got {shown(str(value))}; give the words themselves"
            )  # never a file of this machine
        return self.clip(str(value)) if kind == "motion" else value

    def _add(self, job: Job, model: str, clips: Sequence[Clip]) -> None:
        licence = self.offers.licence(model)
        for clip in clips:
            info = {
                **clip.info,
                "licence": licence,
                "weights": self.offers.weights(model)[:16],
            }
            clip = clip.with_(info=info)
            job.clips.append(clip)
            job.answer["motions"].append(
                {
                    "number": len(job.clips),
                    "model": model,
                    "sample": int(info.get("sample", 0)),
                    "name": clip.name,
                    "captions": list(clip.captions),
                    "seconds": round(clip.seconds, 3),
                    "fps": clip.fps,
                    "frames": len(clip),
                    "numbers": [],
                    "info": {k: v for k, v in info.items() if isinstance(v, (str, int, float, bool, dict))},
                }
            )

    def _measure(self, job: Job) -> None:
        """The numbers under each motion, after the motions are there to be looked at."""
        from motion_platform.pipelines.numbers import numbers_of

        for clip, said in zip(job.clips, job.answer["motions"], strict=True):
            run = self.models.pipeline(job.asked.task, said["model"]).run
            said["numbers"] = numbers_of(clip, clip.captions[0] if clip.captions else None, run, self.models.space)
            job.tell()

    # ---------------------------------------------------------------- inputs

    def clip(self, name: str) -> Clip:
        """A motion by ``UPLOAD``, ``UPLOAD/NUMBER`` or ``KEY/NUMBER``. Errors: UsageError, DataError."""
        from motion_platform.motion import io as motion_io

        key, _, number = name.partition("/")
        job = self.find(key)
        if job is None and self.store.asked(key) is not None:  # it has left the memory: made again
            job = self.again(key)
            assert job is not None
            self.do(job)
        clips = motion_io.load_all(self.store.upload(key)) if job is None else job.clips
        index = int(number) if number.isdecimal() else 1
        if not 1 <= index <= len(clips):
            raise UsageError(f"{shown(name)}: there are {len(clips)} motion(s), counted from 1")
        return clips[index - 1]

    def recording(self, key: str, asked: Any) -> Path:
        """The file of a recording. UsageError for one that is too long to be moved to whole."""
        path = self.store.upload(key)
        if getattr(asked, "seconds", None) is None and sound_seconds(path) > LONGEST_SOUND:
            raise UsageError(f"{path.name}: lasts longer than {LONGEST_SOUND:g} s; say how many seconds of it you want")
        return path

    def facts(self, key: str) -> dict[str, Any]:
        """What an upload is, read once. Errors: DataError, UsageError for a file that is not what it says."""
        path = self.store.upload(key)
        if path.suffix in MOTION:
            from motion_platform.motion import io as motion_io

            try:
                clips = motion_io.load_all(path)
            except DataError:
                if path.suffix not in CHARACTERS or path.suffix == ".bvh":
                    raise
                return {"file": key, "kind": "character", "name": path.name}  # a body that does not move yet
            first = clips[0]
            return {
                "file": key,
                "kind": "motion",
                "name": path.name,
                "motions": len(clips),
                "seconds": round(first.seconds, 3),
                "frames": len(first),
                "fps": first.fps,
                "joints": len(first.skeleton),
                "notes": [str(note) for note in first.info.get("notes", [])],
            }
        if path.suffix == ".asf":
            return {"file": key, "kind": "skeleton", "name": path.name}
        return {"file": key, "kind": "audio", "name": path.name, "seconds": round(sound_seconds(path), 3)}

    # ---------------------------------------------------------------- what a page plays, and files

    def player(self, clips: Sequence[Clip]) -> dict[str, Any]:
        """The data of the player (motion/render/html.py) for motions."""
        from motion_platform.motion.conducting import lift
        from motion_platform.motion.render import html

        html.check_size(clips, clips[0].name, MOST_SHOWN)
        return html.page_data(lift.views(clips, "3d"))

    def file(self, job: Job, number: int, name: str, rig: str | None = None) -> Path:
        """A motion of an answer as a file to take home, written once. name: a format, or one without room for where the
        motion comes from and ``.json``: the file that says it. rig: an upload, the character that it goes onto.

        Errors: UsageError for a format or number of none, one that this machine does not write, or a character in a
        format with a body of its own; DataError for a character that is none; OutputError.
        """
        from motion_platform.motion import files
        from motion_platform.motion.io import provenance, write_blender
        from motion_platform.motion.retarget import on_22_joints

        form = FORMATS.get(name)
        if form is None and (other := FORMATS.get(name.removesuffix(".json"))) is not None and other.beside:
            return provenance.beside(self.file(job, number, name.removesuffix(".json"), rig))
        if form is None:
            raise UsageError(f".{shown(name)}: is no format to take home; {suggest(name, FORMATS)}")
        if form.ending in write_blender.FORMATS:
            write_blender.find_blender(f"{number}.{name}")
        if rig is not None and not form.character:
            raise UsageError(f".{name}: has a body of its own; ask for it without a character (rig=)")
        if not 1 <= number <= len(job.clips):
            raise UsageError(f"motion {number}: there are {len(job.clips)}, counted from 1")
        character = None if rig is None else self.store.upload(rig)
        if character is not None and character.suffix not in CHARACTERS:
            raise UsageError(f"{character.name}: is no character; {suggest(character.suffix, CHARACTERS)}")
        path = self.store.folder / "files" / f"{job.key}_{number}_{rig or ''}.{name}"
        with self.writing:  # pictures are heavy: one at a time
            if not path.is_file() or (form.beside and not provenance.beside(path).is_file()):
                clip = job.clips[number - 1]
                if not form.character:
                    clip = on_22_joints(clip)
                elif character is not None:
                    clip = clip.retarget(rig=character)
                (written,) = files.write(clip, path, view="3d", layout=form.layout)
                assert written == path
        return path

    def archive(self, job: Job, formats: Sequence[str]) -> bytes:
        """All motions of an answer in some formats, with what they were made from, as a ZIP archive. Errors: those of
        :meth:`file`."""
        text = io.BytesIO()
        with zipfile.ZipFile(text, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(1, len(job.clips) + 1):
                for name in dict.fromkeys(formats):
                    archive.write(self.file(job, number, name), self.name(job, number, name))
                    if name in FORMATS and FORMATS[name].beside:
                        archive.write(self.file(job, number, f"{name}.json"), self.name(job, number, f"{name}.json"))
            archive.writestr("made_from.json", json.dumps(self.provenance(job), indent=1, ensure_ascii=False))
        return text.getvalue()

    def provenance(self, job: Job) -> dict[str, Any]:
        """What was asked, and for each motion its model, weights, seed and licence."""
        return {
            "key": job.key,
            "call": job.call,
            "asked": job.asked.model_dump(),
            "motions": [
                {"file": self.name(job, each["number"], "*"), "captions": each["captions"], **each["info"]}
                for each in job.answer["motions"]
            ],
        }

    def name(self, job: Job, number: int, ending: str) -> str:
        """What the file of a motion is called: its words, model and number; of one beside it, with ``.json``."""
        if ending.endswith(".json"):
            return f"{self.name(job, number, ending.removesuffix('.json'))}.json"
        said = job.answer["motions"][number - 1]
        words = re.sub(r"\W+", "_", (said["captions"] or [said["name"]])[0], flags=re.ASCII).strip("_")[:48]
        return safe_name(f"{words or 'motion'}_{said['model'].split('/')[-1]}_{number}.{ending}")

    def plain(self, message: str) -> str:
        """A message of the pipelines in the words of a call, without a place of this machine."""
        message = re.sub(re.escape(str(self.store.folder)) + r"/(uploads/[0-9a-f.]+|files)/", "", message)
        return re.sub(r"--([a-z][a-z-]*)", lambda match: match[1].replace("-", "_"), message)


def sound_seconds(path: Path) -> float:
    """How long a recording lasts; of one whose header does not say, at most a little more than is moved to.

    Errors: DataError, UsageError for what holds no sound.
    """
    import soundfile

    try:
        about = soundfile.info(str(path))
        if about.frames > 0 and about.samplerate > 0:
            return about.frames / about.samplerate
    except (soundfile.LibsndfileError, TypeError):
        pass
    from motion_platform.audio import reading

    heard = 0
    for block in reading.blocks(path):
        heard += len(block)
        if heard > (LONGEST_SOUND + 1) * reading.RATE:
            break
    return heard / reading.RATE
