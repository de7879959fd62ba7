"""Two texts about one motion as one."""

from __future__ import annotations


def joined_text(high: str, low: str) -> str:
    """A caption with its action sequence behind it; one of them alone where the other is empty or the same."""
    high, low = high.strip(), low.strip()
    if not low or low == high:
        return high
    return f"{high.rstrip('.')}: {low}" if high else low
