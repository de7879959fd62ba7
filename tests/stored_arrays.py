"""What code with many numbers in it made before, it must make now: arrays kept in tests/fixtures/stored.

Such code has no closed form to be held against; that no number of it changes by mistake is seen only by what comes out.
Where a change is meant, ``STORE_ARRAYS=1 python -m pytest TEST`` stores what the test makes anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

STORED = Path(__file__).parent / "fixtures" / "stored"


def check_stored(name: str, made: dict[str, np.ndarray], *, atol: float, rtol: float = 0.0) -> None:
    """Each array is the stored one of its name up to ``atol`` and ``rtol`` of the stored number."""
    path = STORED / f"{name}.npz"
    if os.environ.get("STORE_ARRAYS"):
        np.savez_compressed(path, **made)
    with np.load(path) as stored:
        assert set(stored.files) == set(made)
        for key, values in made.items():
            np.testing.assert_allclose(
                values.astype(np.float64),
                stored[key].astype(np.float64),
                rtol=rtol,
                atol=atol,
                err_msg=f"{name}: {key}",
            )


def check_stored_table(name: str, made: dict[str, object]) -> None:
    """The table (numbers, texts, lists and tables of them) is the stored one, key by key; numbers of a list up to a
    hundred-thousandth of the largest in it."""
    path = STORED / f"{name}.json"
    if os.environ.get("STORE_ARRAYS"):
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in sorted(made.items())]
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    stored = json.loads(path.read_text(encoding="utf-8"))
    made = json.loads(json.dumps(made))
    assert {key: (value, stored.get(key)) for key, value in made.items() if not _alike(value, stored.get(key))} == {}
    assert set(made) == set(stored)


def _alike(made: object, stored: object) -> bool:
    if not (isinstance(made, list) and isinstance(stored, list) and all(isinstance(x, int | float) for x in made)):
        return made == stored
    slack = 1e-5 * max(1.0, *map(abs, made), 0.0)
    return len(made) == len(stored) and all(
        isinstance(theirs, int | float) and abs(own - theirs) <= slack for own, theirs in zip(made, stored, strict=True)
    )
