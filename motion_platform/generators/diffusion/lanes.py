"""Parts of a body that do something else than the rest: the legs are made first, then the arms into what is there.

STMC (Petrovich et al. 2024, arXiv:2401.08559, section 4) joins the parts at every step of one walk. Tried first: with
a small model, whose waves all stand, the legs under "walk" then stood as well, because they saw a waving arm from the
first step on. Made one after the other, each lane sees the others as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motion_platform.core.errors import UsageError
from motion_platform.core.plan import WHOLE_BODY
from motion_platform.core.schema import Edit, Spans
from motion_platform.motion.representations import get_representation

ORDER = ("upper_body", "left_arm", "right_arm")


def layers_of(spans: Spans) -> tuple[Tensor, list[tuple[str, Tensor]]]:
    """(numbers of the spans that the whole body is made from, [(lane, numbers of its spans)] made into it).

    The whole body and the legs come first; where nothing moves them, the only lane there is. UsageError for a time at
    which nothing says what the legs do.
    """
    lanes = list(spans.lanes)
    base = [k for k, lane in enumerate(lanes) if lane in (WHOLE_BODY, "lower_body")]
    if not base and len(set(lanes)) == 1:
        base = list(range(len(lanes)))
    chosen = torch.tensor(base, dtype=torch.int64)
    for row, total in enumerate(spans.totals().tolist()):
        covered = torch.zeros(total, dtype=torch.bool)
        for k in base:
            if int(spans.rows[k]) == row:
                covered[int(spans.starts[k]) : int(spans.ends[k])] = True
        if not bool(covered.all()):
            raise UsageError(
                "timeline: some of the time nothing says what the legs do; add a segment of the lane lower_body or "
                'body, for example "a person stands"'
            )
    rest = [(lane, [k for k in range(len(lanes)) if lanes[k] == lane and k not in base]) for lane in ORDER]
    return chosen, [(lane, torch.tensor(numbers)) for lane, numbers in rest if numbers]


def all_but(x: Tensor, spans: Spans, lane: str, chosen: Tensor, representation: str) -> Edit:
    """What stays of motions x (B, T, D), raw units, while a lane is made: all but its features in its spans."""
    columns = get_representation(representation).part_columns(lane).to(x.device)
    keep = torch.ones_like(x, dtype=torch.bool)
    for k in chosen.tolist():
        row, start, end = int(spans.rows[k]), int(spans.starts[k]), int(spans.ends[k])
        keep[row, start:end, columns] = False
    return Edit(x, keep)
