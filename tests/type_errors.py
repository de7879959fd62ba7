"""Types: mypy over the package. The rooms of CLEAN have no error, every other room at most what type_errors.json says.

python tests/type_errors.py            fails where a room has more errors than it may
python tests/type_errors.py --write    takes the present counts as the new bounds, where they fell
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BOUNDS = Path(__file__).with_suffix(".json")
CLEAN = ("core", "data", "motion", "pipelines")
LINE = re.compile(r"^motion_platform/(?:(\w+)/)?\S+:\d+: error: ")


def counts(lines: list[str]) -> Counter[str]:
    """Errors a room, of what mypy printed; a file beside the rooms counts as ``root``."""
    return Counter(found[1] or "root" for line in lines if (found := LINE.match(line)))


def too_many(found: Counter[str], bounds: dict[str, int]) -> dict[str, tuple[int, int]]:
    """room -> (errors, errors allowed) where there are more than allowed."""
    allowed = {room: 0 if room in CLEAN else bounds.get(room, 0) for room in found}
    return {room: (number, allowed[room]) for room, number in sorted(found.items()) if number > allowed[room]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="take lower counts as the new bounds")
    arguments = parser.parse_args()
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(f"error: mypy could not run: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    lines = done.stdout.splitlines()
    found, bounds = counts(lines), json.loads(BOUNDS.read_text(encoding="utf-8"))
    if worse := too_many(found, bounds):
        print("\n".join(line for line in lines if (room := LINE.match(line)) and (room[1] or "root") in worse))
        rooms = ", ".join(f"{room} {number} (allowed {allowed})" for room, (number, allowed) in worse.items())
        sys.exit(f"error: more type errors than there may be: {rooms}")
    lower = {room: found[room] for room, bound in bounds.items() if 0 < found[room] <= bound}
    if arguments.write:
        BOUNDS.write_text(json.dumps(lower, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    elif lower != bounds:
        print("fewer type errors than there may be; keep it so: python tests/type_errors.py --write")
    print(
        f"types: {', '.join(CLEAN)} clean; {sum(found.values())} known errors elsewhere (bound {sum(bounds.values())})"
    )


if __name__ == "__main__":
    main()
