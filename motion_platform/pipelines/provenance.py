"""What every clip that a model made says of itself."""

from __future__ import annotations

from typing import Any

from motion_platform.core.licences import licence_of
from motion_platform.model.run import Run


def provenance(run: Run, seed: int) -> dict[str, Any]:
    """``info`` of a clip: the model, the seed, and the licence that the model's weights pass on."""
    return {"model": run.model.card.name, "seed": seed, "licence": licence_of(run.model.card.data)}
