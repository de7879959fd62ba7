"""The clips that ship with the library: a few dozen of each source of ``bandai_cmu``, prepared on first use."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

from motion_platform.core.errors import DataError, OutputError
from motion_platform.core.files import cache_folder
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.report import Report
from motion_platform.data.source import Item, with_split
from motion_platform.data.sources.bandai_cmu import BandaiCMU
from motion_platform.data.splits import stratified


class Sample(BandaiCMU):
    """The packaged clips. Split 80/5/15 by a hash of the clips' names, whatever split they have in the full sets."""

    name = "sample"

    def items(self, source: Path, report: Report) -> list[Item]:
        items = super().items(source, report)
        return with_split(items, stratified({item.id: "all" for item in items}, seed=self.name))


def sample_root() -> Path:
    """The folder of the packaged clips."""
    return Path(str(resources.files("motion_platform") / "sample"))


def folder() -> Path:
    """The prepared sample in ``$MOTION_CACHE`` (default ``~/.cache/motion_platform``); prepared first if need be.

    Its name holds a hash of the clips and of the code that prepares them, so that it is never out of date.
    Errors: OutputError when the cache cannot be written.
    """
    out = cache_folder() / f"sample-{_fingerprint()}"
    if not (out / "meta.json").is_file():
        try:
            Sample().prepare(sample_root(), out)
        except OutputError:
            if not _readable(out):  # another process may have prepared it meanwhile
                raise
    return out


def _readable(out: Path) -> bool:
    try:
        PreparedDataset.open(out)
    except DataError:
        return False
    return True


def _fingerprint() -> str:
    """12 characters that change with any packaged clip, vocabulary or line of code that a preparation runs."""
    package = Path(str(resources.files("motion_platform")))
    digest = hashlib.sha256()
    for part in ("sample", "data", "motion"):
        for path in sorted((package / part).rglob("*")):
            if path.is_file() and "render" not in path.parts and path.suffix != ".pyc":
                digest.update(path.relative_to(package).as_posix().encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
