"""The studio's folder: uploads, what was asked (for links that last), files to take home, and votes.

Nothing that a person sends is ever a path: uploads are kept under the hash of their name
and content, and are found again by it.
"""

from __future__ import annotations

import csv
import hashlib
import io as text_io
import json
import re
import shutil
import threading
import time
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from motion_platform.core.errors import DataError, UsageError, suggest
from motion_platform.core.files import atomic_path

KEY = re.compile(r"[0-9a-f]{20}")
MOTION = (".bvh", ".npz", ".npy", ".amc", ".glb", ".vrm", ".vrma")
CHARACTERS = (".bvh", ".glb", ".vrm")
"""What a motion can be put on."""
SKELETON = ".asf"
SOUND = (".wav", ".ogg", ".flac", ".mp3", ".m4a", ".aac", ".opus", ".aiff", ".aif", ".wma", ".webm", ".mp4", ".mov")
MOST_UNPACKED = 256 << 20
"""Bytes to which an archive of arrays may unpack."""
VOTE = ("time", "task", "text", "seed", "better_model", "better", "worse_model", "worse", "blind", "voter")


class Store:
    """folder: where everything lies. most: bytes of one upload."""

    def __init__(self, folder: Path, most: int = 64 << 20) -> None:
        self.folder, self.most = folder, most
        for name in ("uploads", "asked", "files"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.lock = threading.Lock()

    # ---------------------------------------------------------------- uploads

    def begin(self, name: str) -> Path:
        """Where the bytes of an upload go while they come. UsageError for an ending that is not read."""
        suffix = Path(name).suffix.lower()
        known = (*MOTION, SKELETON, *SOUND)
        if suffix not in known:
            raise UsageError(
                f"{shown(name)}: files that end in {suffix or 'nothing'} are not read; {suggest(suffix, known)}"
            )
        return self.folder / "uploads" / f".{uuid.uuid4().hex}.part"

    def keep(self, part: Path, name: str, asf: str | None = None) -> str:
        """Put a whole upload in its place: its id. asf: the upload that is the skeleton of an .amc.

        Errors: DataError for an archive that unpacks to too much; UsageError for a skeleton that is not there.
        """
        clean = safe_name(name)
        digest = hashlib.sha256(clean.encode() + b"\n" + part.read_bytes())
        skeleton = None if asf is None else self.upload(asf)
        if skeleton is not None:
            digest.update(skeleton.read_bytes())
        key = digest.hexdigest()[:20]
        check_archive(part, shown(name))
        place = self.folder / "uploads" / key
        with self.lock:
            if not place.is_dir():
                fresh = place.with_name(f".{uuid.uuid4().hex}.new")
                fresh.mkdir()
                shutil.move(part, fresh / clean)
                if skeleton is not None:
                    shutil.copy(skeleton, fresh / skeleton.name)
                fresh.rename(place)
        return key

    def upload(self, key: str) -> Path:
        """The file of an upload. UsageError for an id that is none."""
        place = self.folder / "uploads" / key if KEY.fullmatch(key) else None
        if place is None or not place.is_dir():
            raise UsageError(f"{shown(key)}: no such upload; send the file to POST /api/files first, and give its id")
        files = sorted(place.iterdir())
        return next((file for file in files if file.suffix != SKELETON), files[0])

    # ---------------------------------------------------------------- what was asked

    def remember(self, key: str, call: str, values: Mapping[str, Any], weights: Mapping[str, str]) -> None:
        """What a key stands for, so that its link can be opened after the answer has left the memory."""
        path = self.folder / "asked" / f"{key}.json"
        if not path.is_file():
            with atomic_path(path) as temporary:
                said = {"call": call, "values": dict(values), "weights": dict(weights), "time": time.time()}
                temporary.write_text(json.dumps(said), encoding="utf-8")

    def asked(self, key: str) -> dict[str, Any] | None:
        """What a key stands for; None for one that was never given."""
        path = self.folder / "asked" / f"{key}.json"
        if not KEY.fullmatch(key) or not path.is_file():
            return None
        return json.loads(path.read_text(encoding="utf-8"))

    # ---------------------------------------------------------------- votes

    def vote(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append votes to the table of preferences, ``votes.csv``."""
        path = self.folder / "votes.csv"
        with self.lock:
            text = text_io.StringIO()
            writer = csv.DictWriter(text, VOTE, lineterminator="\n")
            if not path.is_file():
                writer.writeheader()
            writer.writerows({name: _cell(row.get(name, "")) for name in VOTE} for row in rows)
            with path.open("a", encoding="utf-8") as file:
                file.write(text.getvalue())

    def votes(self) -> str:
        """The table of preferences as CSV."""
        path = self.folder / "votes.csv"
        return path.read_text(encoding="utf-8") if path.is_file() else ",".join(VOTE) + "\n"


def check_archive(path: Path, name: str) -> None:
    """DataError for a zip archive (an .npz) that unpacks to more than ``MOST_UNPACKED``."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MOST_UNPACKED:
        raise DataError(f"{name}: unpacks to {size >> 20} MiB; at most {MOST_UNPACKED >> 20} are allowed")


def safe_name(name: str) -> str:
    """A file name of letters, digits, ``_ - .`` and spaces, whatever was sent: no folder, no leading dot."""
    path = Path(re.split(r"[/\\]", name)[-1])
    stem = re.sub(r"[^\w \-]", "_", path.stem, flags=re.ASCII).strip(" _")[:80]
    return (stem or "file") + path.suffix.lower()


def shown(text: str) -> str:
    """A name from outside as a message may show it: short, and one line."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = " ".join(str(value).split())
    return f"'{text}" if text[:1] in tuple("=+-@") else text
