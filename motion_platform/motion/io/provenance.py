"""Where a motion comes from, in every file: captions, model, seed and licence, in the place that a format has for it.

====================  =================================================================================================
.npz                  the header, with all else that a clip knows; as AMASS lays it out a field of its own
.glb .vrm .vrma       ``extras`` of the motion's node or animation (of ``asset`` in a .vrma)
.html                 the page's data
.mp4                  the container's ``comment``
.png                  the text chunk ``Comment``
.bvh .npy .fbx .usd*  a file beside it, ``walk.bvh.json``
====================  =================================================================================================

BVH has no comments: a word more in its hierarchy or a line more after its frames is an error to Blender and other
programs. So its provenance is a file of its own, written for motions that a model made, and read with the .bvh
wherever both lie together.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from motion_platform.core.errors import DataError
from motion_platform.core.files import atomic_path
from motion_platform.motion.clip import Clip

FIELDS = ("model", "seed", "sample", "text", "licence", "source", "weights")
BESIDE = (".bvh", ".npy", ".fbx", ".usd", ".usda", ".usdc")
FORMAT = "motion_platform.provenance"
MOST = 1_000_000
"""Bytes of a file of provenance that are read."""


def provenance(clip: Clip) -> dict[str, Any]:
    """What a file says of a motion: captions, the model and seed that made it, and the licence of its weights."""
    told = {key: clip.info[key] for key in FIELDS if clip.info.get(key) is not None}
    return {"captions": list(clip.captions), **told}


def as_text(clips: Sequence[Clip]) -> str:
    """The provenance of all motions of a picture or film as one line of JSON."""
    return json.dumps({"format": FORMAT, "motions": [provenance(clip) for clip in clips]})


def parse(text: str, where: str) -> list[dict[str, Any]]:
    """Back from :func:`as_text`. DataError for anything else."""
    try:
        found = json.loads(text)
        if found["format"] != FORMAT:
            raise DataError(f"{where}: format {found['format']!r} is not {FORMAT}")
        return [checked(motion) for motion in found["motions"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DataError(f"{where}: its provenance is broken: {type(error).__name__}: {error}") from error


def checked(motion: dict[str, Any]) -> dict[str, Any]:
    """The known fields of one motion, those that hold plain values."""
    captions = [text for text in motion.get("captions", []) if isinstance(text, str)]
    told = {key: motion[key] for key in FIELDS if isinstance(motion.get(key), (str, int, float))}
    return {"captions": captions, **told}


def beside(path: Path) -> Path:
    """The file beside a motion file that says where it comes from."""
    return path.with_name(f"{path.name}.json")


def write_beside(clips: Sequence[Clip], paths: Sequence[Path]) -> None:
    """For each written file of a format without room: its provenance beside it, where a model made a motion in it; what
    an older motion of that name left there is taken away. Errors: OutputError."""
    each = [[clip] for clip in clips] if len(paths) == len(clips) else [list(clips)] * len(paths)
    for path, members in zip(paths, each, strict=True):
        target = beside(path)
        if any("model" in clip.info for clip in members):
            with atomic_path(target) as temporary:
                temporary.write_text(as_text(members) + "\n", encoding="utf-8")
        elif _is_ours(target):
            target.unlink()


def _is_ours(path: Path) -> bool:
    return path.is_file() and FORMAT in path.read_bytes()[:100].decode("utf-8", "replace")


def with_provenance(clips: Sequence[Clip], path: Path) -> list[Clip]:
    """Clips read from a file, with what the file beside it says, where there is one of ours. DataError for a broken
    one."""
    target = beside(path)
    if not _is_ours(target):
        return list(clips)
    told = parse(_text_of(target), str(target))
    if len(told) != len(clips):
        raise DataError(f"{target}: is of {len(told)} motions, and {path.name} holds {len(clips)}; delete it")
    return [told_of(clip, motion) for clip, motion in zip(clips, told, strict=True)]


def told_of(clip: Clip, motion: dict[str, Any]) -> Clip:
    """The clip with what is told of its motion; the file that it was read from stays its source."""
    told = {key: value for key, value in motion.items() if key not in ("captions", "source")}
    return clip.with_(captions=clip.captions or tuple(motion["captions"]), info={**clip.info, **told})


def of_picture(path: Path) -> list[dict[str, Any]] | None:
    """The provenance in an .html, .mp4 or .png of ours; None for another one. DataError for one that cannot be read."""
    text = PICTURES[path.suffix.lower()](path)
    return None if text is None else parse(text, str(path))


def _text_of(path: Path) -> str:
    if path.stat().st_size > MOST:
        raise DataError(f"{path}: has {path.stat().st_size} bytes; provenance has at most {MOST}")
    return path.read_text(encoding="utf-8", errors="replace")


def _of_page(path: Path) -> str | None:
    """A page's motions carry captions and provenance in the player's data."""
    page = path.read_text(encoding="utf-8", errors="replace")
    found = re.search(r'<script type="application/json" id="motion-data">(.*?)</script>', page, re.DOTALL)
    if found is None:
        return None
    try:
        motions = [
            {"captions": [m["caption"], *m["notes"]] if m["caption"] else [], **m.get("provenance", {})}
            for m in json.loads(found[1])["motions"]
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path}: its data is broken: {type(error).__name__}: {error}") from error
    return json.dumps({"format": FORMAT, "motions": motions})


def _of_film(path: Path) -> str | None:
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", f"file:{path}", "-f", "ffmetadata", "-"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    if done.returncode:
        raise DataError(f"{path}: is no film that can be read")
    text = re.sub(r"\\(.)", r"\1", done.stdout.decode("utf-8", "replace"), flags=re.DOTALL)
    found = re.search(rf'^comment=(\{{"format": "{re.escape(FORMAT)}".*)$', text, re.MULTILINE)
    return None if found is None else found[1]


def _of_image(path: Path) -> str | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            text = image.info.get("Comment")
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{path}: is no picture that can be read") from error
    return text if isinstance(text, str) and FORMAT in text[:100] else None


PICTURES: dict[str, Callable[[Path], str | None]] = {".html": _of_page, ".mp4": _of_film, ".png": _of_image}
