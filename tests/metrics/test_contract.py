"""What every registered metric must do, whatever it measures."""

import math
import typing

import pytest
import torch

from motion_platform import registry
from motion_platform.errors import DataError
from motion_platform.schema import Embeddings, Needs

CONTENTS = ["walk", "run", "walk-turn-left", "raise-up-left-hand", "bow", "walk-back"]

pytestmark = pytest.mark.usefixtures("joints_as_features")


def seen(motion):
    """Stands in for a recogniser: an answer that depends on the motion alone."""
    return Embeddings(labels=[{"content": CONTENTS[int(n) % 6], "style": "normal"} for n in motion.lengths])


@pytest.fixture(params=registry.names("metrics"))
def metric(request):
    return registry.build("metrics", request.param)


@pytest.fixture
def clips(oracles):
    generator = torch.Generator().manual_seed(0)
    shakes = [0.02 * torch.randn(n, 22, 3, generator=generator) for n in (5, 9, 12, 7, 12, 30)]
    return [oracles.standing(len(shake)) + shake for shake in shakes]


@pytest.fixture
def state(metric, clips, oracles):
    def make(rows, padding=0):
        motion = oracles.motion_of([clips[row] for row in rows])
        batch = oracles.batch_of(motion, [{"content": CONTENTS[row], "style": "normal"} for row in rows])
        batch.ids = [f"clip {row}" for row in rows]
        return metric.state(motion, batch, seen(motion) if metric.needs else None)

    return make


def test_it_says_what_it_is(metric):
    assert metric.name in registry.names("metrics")
    assert metric.unit
    assert metric.higher_is_better in (True, False, None)
    assert metric.needs in (None, *typing.get_args(Needs))
    assert registry.get("metrics", metric.name).__doc__


def test_merged_shards_equal_the_whole(state):
    whole = state(range(6))
    merged = state([5, 1]).merge(state([4])).merge(state([0, 3, 2]))
    assert merged.ids == whole.ids == {f"clip {row}" for row in range(6)}
    assert merged.compute() == pytest.approx(whole.compute(), rel=1e-12)
    assert whole.compute()
    assert all(math.isfinite(value) for value in whole.compute().values())


def test_values_start_with_the_name_of_the_metric(metric, state):
    assert metric.name in {name[: len(metric.name)] for name in state(range(6)).compute()}


def test_a_sample_is_counted_once(state):
    with pytest.raises(DataError, match="counted twice: clip 1"):
        state([0, 1]).merge(state([1, 2]))
    with pytest.raises(DataError, match="counted twice: clip 1"):
        state([1, 1])


def test_nan_is_an_error_but_padding_may_hold_anything(metric, clips, oracles):
    motion = oracles.motion_of(clips)
    batch = oracles.batch_of(motion, [{"content": c, "style": "normal"} for c in CONTENTS])
    space = seen(motion) if metric.needs else None
    before = metric.state(motion, batch, space).compute()
    motion.x[0, 5:] = float("nan")  # padding of the first clip
    assert metric.state(motion, batch, space).compute() == before
    motion.x[0, 4, 1] = float("nan")
    with pytest.raises(DataError, match="NaN"):
        metric.state(motion, batch, space)


def test_ids_must_match_the_motions(metric, clips, oracles):
    motion = oracles.motion_of(clips)
    batch = oracles.batch_of(motion, [{}] * 6)
    batch.ids = batch.ids[:-1]
    with pytest.raises(DataError, match="6 motions but 5 sample ids"):
        metric.state(motion, batch, seen(motion))


def test_motions_of_one_frame_do_not_break_it(metric, oracles):
    motion = oracles.motion_of([oracles.standing(1), oracles.standing(2)])
    batch = oracles.batch_of(motion, [{"content": "walk", "style": "sad"}, {"content": "run", "style": "sad"}])
    values = metric.state(motion, batch, seen(motion) if metric.needs else None).compute()
    assert all(math.isfinite(value) for value in values.values())
