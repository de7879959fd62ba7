"""The data of the shipped model: Bandai-Namco motions with made captions, CMU motions with HumanML3D's."""

from __future__ import annotations

from pathlib import Path

from motion_platform.core.errors import DataError
from motion_platform.data.report import Report
from motion_platform.data.source import DataSource, Item
from motion_platform.data.sources.bandai_namco import BandaiNamco
from motion_platform.data.sources.cmu_humanml3d import CMUHumanML3D


class BandaiCMU(DataSource):
    """A folder with ``bandai-namco/``, ``cmu/`` and ``humanml3d/``: see the two sources it joins."""

    name = "bandai_cmu"
    licence = f"{BandaiNamco.licence}; {CMUHumanML3D.licence}"

    def items(self, source: Path, report: Report) -> list[Item]:
        for folder in ("bandai-namco", "cmu", "humanml3d"):
            if not (source / folder).is_dir():
                raise DataError(
                    f"{self.name}: {source} has no folder {folder!r}; it needs bandai-namco, cmu, humanml3d"
                )
        return BandaiNamco().items(source / "bandai-namco", report) + CMUHumanML3D().items(source, report)
