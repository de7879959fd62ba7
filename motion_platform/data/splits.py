"""Deterministic splits that let nothing leak: a group of clips goes to one split as a whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from motion_platform.core.seeding import seed_of

SHARES = {"val": 0.05, "test": 0.15}


def stratified(
    groups: Mapping[str, str], *, seed: str = "split", shares: Mapping[str, float] = SHARES
) -> dict[str, str]:
    """Group -> split, for groups that belong to a stratum (``groups``: group -> stratum).

    Within each stratum groups are ordered by a hash of their name, which does not depend on what else is there in other
    strata; the first go to test, the next to val, the rest to train, by rounded shares. A stratum of fewer than 4
    groups stays in train whole, so that no kind of motion is tested that was never shown.
    """
    strata: dict[str, list[str]] = defaultdict(list)
    for group, stratum in groups.items():
        strata[stratum].append(group)
    found: dict[str, str] = {}
    for members in strata.values():
        members.sort(key=lambda group: (seed_of(seed, group), group))
        count = len(members)
        test = round(shares["test"] * count) if count >= 4 else 0
        val = round(shares["val"] * count) if count >= 4 else 0
        for k, group in enumerate(members):
            found[group] = "test" if k < test else "val" if k < test + val else "train"
    return found
