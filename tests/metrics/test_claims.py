"""What captions claim of clips that people described: false confidence is told from saying nothing."""

import pytest

from motion_platform.core.schema import Batch
from motion_platform.metrics.claims import Claims


def batch(captions, labels=None):
    ids = [f"clip {i}" for i in range(len(captions))]
    return Batch(ids=ids, raw={}, lengths=None, labels=labels or [{}] * len(captions), captions=captions)


def test_right_false_and_none_add_up_to_one():
    people = [["a man climbs up", "somebody walks and climbs"], ["she dances"], ["he runs"], ["she dances"]]
    said = ["a person walks", "a person walks and turns right", "a person moves forward", "a person dances and waves"]
    found = Claims().state(said, batch(people)).compute()
    assert found == {"claims_right": 0.25, "claims_false": 0.5, "claims_none": 0.25}


def test_labelled_clips_are_not_asked():
    found = Claims().state(["he waves", "he walks"], batch([["he walks"]] * 2, [{"content": "walk"}, {}])).compute()
    assert found["claims_right"] == 1
    assert found["claims_false"] == 0


@pytest.mark.parametrize(("value", "better"), [("claims_right", True), ("claims_false", False), ("claims_none", None)])
def test_which_way_is_better(value, better):
    assert Claims().about(value) == ("ratio", better)
