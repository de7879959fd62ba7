"""Loading without other libraries' reports, and their settings as they were afterwards."""

from __future__ import annotations

import logging

import pytest
from transformers.utils import logging as theirs

from motion_platform.core.quiet import quiet_loading, quiet_logger


def fail_quietly() -> None:
    with quiet_loading():
        assert theirs.get_verbosity() == theirs.ERROR
        assert not theirs.is_progress_bar_enabled()
        raise KeyError("a file that cannot be read")


@pytest.mark.parametrize("bars", [True, False])
def test_what_was_loud_is_quiet_inside_and_loud_again_after(bars: bool) -> None:
    level, shown = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    try:
        theirs.set_verbosity_info()
        (theirs.enable_progress_bar if bars else theirs.disable_progress_bar)()
        with pytest.raises(KeyError):
            fail_quietly()
        assert theirs.get_verbosity() == theirs.INFO
        assert theirs.is_progress_bar_enabled() == bars
    finally:
        theirs.set_verbosity(level)
        (theirs.enable_progress_bar if shown else theirs.disable_progress_bar)()


def test_a_logger_of_others_says_errors_alone_inside(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("somebody.elses")
    with caplog.at_level(logging.INFO, "somebody.elses"):
        with quiet_logger("somebody.elses"):
            log.warning("ended a process")
            log.error("broken")
        log.warning("afterwards")
    assert [record.message for record in caplog.records] == ["broken", "afterwards"]
