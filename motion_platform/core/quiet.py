"""Loading without the progress bars and reports of other libraries."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator


def quiet_loading() -> contextlib.AbstractContextManager[None]:
    """Switch transformers' progress bars and load reports off while a model is read."""

    @contextlib.contextmanager
    def quiet():
        from transformers.utils import logging as theirs

        level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
        theirs.set_verbosity_error()
        theirs.disable_progress_bar()
        try:
            yield
        finally:
            theirs.set_verbosity(level)
            if bars:
                theirs.enable_progress_bar()

    return quiet()


@contextlib.contextmanager
def quiet_logger(name: str) -> Iterator[None]:
    """Let a logger of another library say errors alone, for as long as the block lasts."""
    theirs = logging.getLogger(name)
    level = theirs.level
    theirs.setLevel(logging.ERROR)
    try:
        yield
    finally:
        theirs.setLevel(level)
