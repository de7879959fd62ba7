"""The README.md of a model that is uploaded to a model hub: front matter that the hub reads, and how to use it."""

from __future__ import annotations

import re

import yaml

from motion_platform.core.config import ModelFile
from motion_platform.core.licences import licence_of

IDENTIFIERS = (
    (r"\bBY-NC-ND\b", "cc-by-nc-nd-4.0"), (r"\bBY-NC-SA\b", "cc-by-nc-sa-4.0"), (r"\bBY-NC\b", "cc-by-nc-4.0"),
    (r"\bBY-ND\b", "cc-by-nd-4.0"), (r"\bBY-SA\b", "cc-by-sa-4.0"), (r"\bBY\b", "cc-by-4.0"),
    (r"\bMIT\b", "mit"), (r"\bApache", "apache-2.0"), (r"\bCC0\b", "cc0-1.0"),
)  # fmt: skip
"""What the hub calls a licence; where it has no name for the most restrictive one, "other" and the words."""


def page(card: ModelFile, repository: str) -> str:
    """The README.md of the model in ``repository`` (owner/name)."""
    licence = licence_of(card.data)
    first = licence.split("; ", 1)[0]
    known = next((name for words, name in IDENTIFIERS if re.search(words, first)), "other")
    front = {
        "license": known,
        **({"license_name": "as-below"} if known == "other" else {}),
        "library_name": "motion-platform",
        "tags": ["human-motion", str(card.task).replace("_", "-"), card.model.name.replace("_", "-")],
        **({"language": [card.data["language"]]} if card.data.get("language") else {}),
    }
    slots = ", ".join(f"`{name}` ({slot.encoder})" for name, slot in card.slots.items()) or "none"
    spec = card.spec
    return f"""---
{yaml.safe_dump(front, sort_keys=False, allow_unicode=True).strip()}
---

# {repository.rpartition("/")[2]}

```bash
pip install motion-platform
motion info {repository}
```

```python
from motion_platform.model.motion_model import MotionModel

model = MotionModel.from_pretrained("{repository}")
```

| | |
|---|---|
| task | `{card.task}` |
| model | `{card.model.name}` |
| conditions | {slots} |
| motion | `{spec["representation"]}`, {spec["skeleton"]}, {spec["fps"]:g} frames a second |
| data | `{card.data.get("name", "unknown")}` |
| licence | {licence} |

The licence is that of everything that the weights learned from, the most restrictive first.
"""
