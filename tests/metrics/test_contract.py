"""What every registered metric must do, whatever it measures."""

import inspect
import math
import pickle
import typing
from dataclasses import replace

import numpy as np
import pytest
import torch
from stored_arrays import check_stored, check_stored_table

from motion_platform.core import registry
from motion_platform.core.contracts import Embeddings, Needs
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Edit, Motion

CONTENTS = ["walk", "run", "walk-turn-left", "raise-up-left-hand", "bow", "walk-back"]
BEATS = np.array([0.1, 0.3, 0.5, 0.7])
CAPTIONS = ["a man walks", "he runs", "she turns left", "a hand goes up", "a person bows low", "walk back"]
SETTINGS = {  # six samples are fewer than the protocols of the field ask for
    "r_precision": {"pool": 2, "top": 1},
    "r_precision_unique": {"pool": 2, "top": 1},
    "diversity": {"pairs": 1},
    "movement": {"clips_a_label": 1},
    "multimodality": {"generations": 2, "pairs": 1},
    "apd": {"generations": 2},
    "manifold": {"precision_k": 1, "coverage_k": 1},
    "retrieval": {"protocols": ["all", "small_batches"], "pool": 2},
}
CLASSES = {name: registry.get("metrics", name) for name in registry.names("metrics")}
OF_MOTION = [name for name, cls in CLASSES.items() if cls.judges == "motion"]
IN_A_SPACE = [name for name, cls in CLASSES.items() if cls.needs is not None]
OF_EMBEDDINGS = [name for name, cls in CLASSES.items() if cls.needs in ("space", "truth", "text")]
GROUPED = {"multimodality", "apd"}
"""Metrics that want two predictions a clip."""
UNLABELLED = {"claims"}
"""Metrics that ask clips without labels alone."""

pytestmark = pytest.mark.usefixtures("joints_as_features")


def ids_of(metric, rows):
    return [f"clip {row // 2}#{row % 2}" if metric.name in GROUPED else f"clip {row}" for row in rows]


def judged(metric, motion, rows):
    """What the metric is given to judge, and what a space sees: functions of the row alone, whatever its batch."""
    captions = [CAPTIONS[row] for row in rows]
    noise = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))[list(rows), :2]
    embeddings = Embeddings(
        motion=noise[:, :2],
        truth=noise.flip(1) + 0.1,
        text=noise + 0.2,
        sync={"easy": noise.sigmoid(), "hard": noise.sigmoid()},
        captions=captions,
        beats=[{"beats": BEATS[int(n) % 2 :], "bars": BEATS[1::2]} for n in motion.lengths],
        labels=[{"content": CONTENTS[int(n) % 6], "style": "normal"} for n in motion.lengths],
    )
    prediction = {"caption": captions, "length": motion.lengths + 1}.get(metric.judges, motion)
    return prediction, (embeddings if metric.needs else None)


@pytest.fixture(params=CLASSES)
def metric(request):
    return registry.build("metrics", request.param, SETTINGS.get(request.param))


@pytest.fixture
def clips(oracles):
    generator = torch.Generator().manual_seed(0)
    frames = (9, 9, 12, 12, 30, 30)
    shakes = [0.02 * torch.randn(n, 22, 3, generator=generator) for n in frames]
    return [oracles.standing(len(shake)) + shake for shake in shakes]


def batch_for(metric, oracles, motion, rows, real=None):
    """What the metric compares with; ``real``: the motion that was to be, usually nearly the judged one."""
    labels = [{} if metric.name in UNLABELLED else {"content": CONTENTS[row], "style": "normal"} for row in rows]
    batch = oracles.batch_of(motion, labels)
    batch.ids = ids_of(metric, rows)
    batch.motion = Motion(motion.x + 0.01, motion.lengths, motion.spec) if real is None else real
    batch.edit = Edit(batch.motion.x, torch.zeros_like(motion.x, dtype=torch.bool))
    batch.edit.keep[:, :1] = True
    batch.events = [
        {"beats": BEATS, "bars": BEATS[::2], "strokes": BEATS, "accents": BEATS, "cues": BEATS} for _ in rows
    ]
    batch.captions = [[f"{CAPTIONS[row]} slowly", "somebody does it"] for row in rows]
    batch.raw["caption_tokens"] = [["a/DET man/NOUN walk/VERB"] for _ in rows]
    return batch


@pytest.fixture
def make_batch(metric, oracles):
    return lambda motion, rows: batch_for(metric, oracles, motion, rows)


@pytest.fixture
def state(metric, clips, oracles, make_batch):
    def make(rows):
        motion = oracles.motion_of([clips[row] for row in rows])
        prediction, embeddings = judged(metric, motion, rows)
        return metric.state(prediction, make_batch(motion, rows), embeddings)

    return make


def test_it_says_what_it_is(metric):
    assert metric.name in registry.names("metrics")
    assert metric.unit
    assert metric.higher_is_better in (True, False, None)
    assert metric.needs in (None, *typing.get_args(Needs))
    assert registry.get("metrics", metric.name).__doc__
    assert metric.about(metric.name) == (metric.unit, metric.higher_is_better)  # its headline is what it is itself


def test_its_docstring_says_formula_source_unit_and_direction_or_the_class_does(metric):
    assert len(type(metric).__doc__.split()) > 12
    for value, (unit, higher) in ((value, metric.about(value)) for value in ("x", "x_left_out", "x_median_rank")):
        assert unit, value
        assert higher in (True, False, None)


def test_chance_has_a_seed_and_no_other_source(metric, state):
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    values = state(range(6)).compute()
    np.random.seed(1)
    torch.manual_seed(1)
    assert state(range(6)).compute() == values
    torch.random.set_rng_state(before[0])
    assert "seed" not in inspect.signature(type(metric)).parameters or metric.seed == 0


def test_merged_shards_equal_the_whole(metric, state):
    whole = state(range(6))
    merged = state([5, 1]).merge(state([4])).merge(state([0, 3, 2]))
    assert merged.ids == whole.ids == set(ids_of(metric, range(6)))
    assert merged.compute() == pytest.approx(whole.compute(), rel=1e-9, abs=1e-12)
    assert whole.compute()
    assert all(math.isfinite(value) for value in whole.compute().values())


def test_a_subset_is_what_its_samples_alone_give(metric, state):
    """A set is measured without what stands beside its number, and rivals or real clips stay only where samples do."""
    part = state(range(6)).subset(set(ids_of(metric, [0, 1, 2, 3, 9])))
    if part is None:
        return
    assert part.ids == set(ids_of(metric, range(4)))
    alone, found = state(range(4)).compute(), part.compute()
    assert found
    assert found == pytest.approx({name: alone[name] for name in found}, rel=1e-9, abs=1e-12)


def test_a_state_travels_between_processes(state):
    whole = state(range(6))
    assert pickle.loads(pickle.dumps(whole)).compute() == whole.compute()


def test_values_start_with_the_name_of_the_metric(metric, state):
    assert metric.name in {name[: len(metric.name)] for name in state(range(6)).compute()}


def test_a_sample_is_counted_once(metric, state):
    twice = ids_of(metric, [1])[0]
    with pytest.raises(DataError, match=f"counted twice: {twice}"):
        state([0, 1]).merge(state([1, 2]))
    with pytest.raises(DataError, match=f"counted twice: {twice}"):
        state([1, 1])


@pytest.mark.parametrize("metric", OF_MOTION, indirect=True)
def test_nan_is_an_error_but_padding_may_hold_anything(metric, clips, oracles, make_batch):
    motion = oracles.motion_of(clips)
    batch = make_batch(motion, range(6))
    _, embeddings = judged(metric, motion, range(6))
    before = metric.state(motion, batch, embeddings).compute()
    motion.x[0, 9:] = float("nan")  # padding of the first clip
    assert metric.state(motion, batch, embeddings).compute() == before
    motion.x[0, 4, 1] = float("nan")
    with pytest.raises(DataError, match="NaN"):
        metric.state(motion, batch, embeddings)


@pytest.mark.parametrize("metric", OF_EMBEDDINGS, indirect=True)
def test_nan_in_an_embedding_is_an_error_that_names_the_sample(metric, clips, oracles, make_batch):
    motion = oracles.motion_of(clips)
    for what in {"motion", metric.needs} - {"space"}:
        _, embeddings = judged(metric, motion, range(6))
        getattr(embeddings, what)[3, 1] = float("nan")
        with pytest.raises(DataError, match=rf"{what} embedding of 'clip .*' has a NaN"):
            metric.state(motion, make_batch(motion, range(6)), embeddings)


@pytest.mark.parametrize("metric", IN_A_SPACE, indirect=True)
def test_what_it_needs_and_does_not_get_is_an_error(metric, clips, oracles, make_batch):
    motion = oracles.motion_of(clips)
    for embeddings in (None, Embeddings(), Embeddings(motion=torch.zeros(6, 2)) if metric.needs != "space" else None):
        with pytest.raises(DataError, match=metric.name):
            metric.state(motion, make_batch(motion, range(6)), embeddings)


def test_ids_must_match_what_is_judged(metric, clips, oracles, make_batch):
    motion = oracles.motion_of(clips)
    batch = make_batch(motion, range(6))
    batch.ids = batch.ids[:-1]
    prediction, embeddings = judged(metric, motion, range(6))
    with pytest.raises(DataError, match=r"6 (motions|captions|lengths) but 5 sample ids"):
        metric.state(prediction, batch, embeddings)


def test_motions_of_one_frame_do_not_break_it(metric, oracles, make_batch):
    motion = oracles.motion_of([oracles.standing(n) for n in (1, 1, 2, 2, 1, 1)])
    prediction, embeddings = judged(metric, motion, range(6))
    state = metric.state(prediction, make_batch(motion, range(6)), embeddings)
    if metric.name == "movement":  # nothing moves in one frame, and it says so
        with pytest.raises(DataError, match="nothing to compare"):
            state.compute()
        return
    assert all(math.isfinite(value) for value in state.compute().values())


def swaying(oracles, frames: int, seed: int) -> torch.Tensor:
    """A person who walks, turns, swings the arms and lifts the feet, each joint as a sum of three sines."""
    random = np.random.default_rng(seed)
    t = np.arange(frames)[:, None, None, None] / oracles.FPS
    waves = np.sin(2 * np.pi * random.uniform(0.3, 2.5, (22, 3, 3)) * t + random.uniform(0, 7, (22, 3, 3))).mean(-1)
    size = np.full(22, 0.03)
    size[[oracles.LEFT_WRIST, oracles.RIGHT_WRIST]] = 0.5
    size[[7, 8, oracles.LEFT_FOOT, oracles.RIGHT_FOOT]] = 0.15
    joints = oracles.standing(frames) + torch.from_numpy(waves * size[:, None]).float()
    feet = [7, 8, oracles.LEFT_FOOT, oracles.RIGHT_FOOT]
    joints[:, feet, 1] = (joints[:, feet, 1] - 0.02).clamp(min=-0.015)
    joints[frames // 2 :, :, 0] += 0.4 * (seed % 2)  # one half of them are once torn aside
    joints = oracles.turned(joints, torch.linspace(0, float(random.uniform(-2, 2)), frames))
    joints[..., 2] += torch.linspace(0, frames / oracles.FPS * float(random.uniform(0, 1.2)), frames)[:, None]
    return joints


def test_the_values_of_every_metric_are_what_they_were(oracles):
    """A metric whose number moves by a border or a factor can no longer be compared with what is published."""
    frames = (60, 60, 90, 90, 131, 131)  # two predictions a clip are as long as each other
    motion, real = (
        oracles.motion_of([swaying(oracles, n, seed + k) for k, n in enumerate(frames)]) for seed in (0, 100)
    )
    beats = np.arange(0.3, 6.5, 0.47)
    events = {"beats": beats, "bars": beats[::4], "strokes": beats[1::2] + 0.1, "accents": beats[::3] - 0.05}
    events["cues"] = beats[::5]
    made = {}
    for name in CLASSES:
        metric = registry.build("metrics", name, SETTINGS.get(name))
        batch = batch_for(metric, oracles, motion, range(6), real)
        batch.events = [{kind: times[k % 2 :] for kind, times in events.items()} for k in range(6)]
        prediction, embeddings = judged(metric, motion, range(6))
        values = metric.state(prediction, batch, embeddings).compute()
        made[name] = np.array([values[value] for value in sorted(values)])
    check_stored("metrics", made, atol=1e-6, rtol=1e-4)


def test_the_values_of_short_clips_are_what_they_were(oracles):
    """What is counted of clips that are hardly there: speeds, accelerations and windows each need some frames."""
    of_all: dict[str, list[list[float]]] = {}
    for frames in (1, 2, 3, 4, 5, 6, 7, 8, 11, 16):
        motion, real = (
            oracles.motion_of([swaying(oracles, max(n, 16), seed + k)[:n] for k, n in enumerate(6 * [frames])])
            for seed in (0, 100)
        )
        for name in CLASSES:
            metric = registry.build("metrics", name, SETTINGS.get(name))
            prediction, embeddings = judged(metric, motion, range(6))
            try:
                values = metric.state(
                    prediction, batch_for(metric, oracles, motion, range(6), real), embeddings
                ).compute()
            except DataError:
                values = {}
            of_all.setdefault(name, []).append([values[value] for value in sorted(values)])
    made = {
        name: np.concatenate([np.array([len(values), *values]) for values in rows]) for name, rows in of_all.items()
    }
    check_stored("metrics_of_short_clips", made, atol=1e-6, rtol=1e-4)


def test_the_names_units_directions_and_settings_of_every_metric_are_what_they_were(oracles):
    """Stored results name their values; a unit or a direction that turns round makes a table say the opposite."""
    motion = oracles.motion_of([swaying(oracles, n, k) for k, n in enumerate((60, 60, 90, 90, 131, 131))])
    made = {}
    for name, cls in CLASSES.items():
        metric = registry.build("metrics", name, SETTINGS.get(name))
        prediction, embeddings = judged(metric, motion, range(6))
        values = metric.state(prediction, batch_for(metric, oracles, motion, range(6)), embeddings).compute()
        made[name] = {value: metric.about(value) for value in values}
        defaults = inspect.signature(cls).parameters.values()
        made[f"{name}, settings"] = {
            p.name: str(p.default) for p in defaults if p.default is not inspect.Parameter.empty
        }
    check_stored_table("metrics_about", made)


def test_what_every_metric_says_where_a_part_of_the_batch_is_missing_is_what_it_said(oracles):
    """Either it needs the part and says so, or its values are there without it."""
    motion = oracles.motion_of([swaying(oracles, n, k) for k, n in enumerate((60, 60, 90, 90, 131, 131))])
    lacking = {part: {part: None} for part in ("labels", "motion", "edit", "events", "captions")}
    lacking |= {
        "raw": {"raw": {}},
        "beats": {"events": [{"bars": BEATS[::2]} for _ in range(6)]},
        "times": {
            "events": [{kind: BEATS[:0] for kind in ("beats", "bars", "strokes", "accents", "cues")} for _ in range(6)]
        },
        "one label": {"labels": [{}, *[{"content": content, "style": "normal"} for content in CONTENTS[1:]]]},
    }
    made = {}
    for name in CLASSES:
        metric = registry.build("metrics", name, SETTINGS.get(name))
        prediction, embeddings = judged(metric, motion, range(6))
        usual = set(metric.state(prediction, batch_for(metric, oracles, motion, range(6)), embeddings).compute())
        for what, change in [
            *lacking.items(),
            *((part, part) for part in ("given captions", "given beats", "given labels")),
        ]:
            batch = batch_for(metric, oracles, motion, range(6))
            given = embeddings
            if isinstance(change, dict):
                for attribute, value in change.items():
                    setattr(batch, attribute, value)
            elif embeddings is None:
                continue
            else:
                given = replace(embeddings, **{change.removeprefix("given "): None})
            try:
                values = set(metric.state(prediction, batch, given).compute())
            except DataError:
                made[f"{name} without {what}"] = "DataError"
            else:
                if values != usual:
                    made[f"{name} without {what}"] = sorted(values)
    check_stored_table("metrics_without", made)


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("retrieval", {"pool": 2, "subset": 2, "threshold": 1}, ({"pool": 1}, {"subset": 1}, {"threshold": 1.001})),
        ("ictus", {"tolerance": 1e-3}, ({"tolerance": 0},)),
        ("beat_f_measure", {"tolerance": 1e-3}, ({"tolerance": 0},)),
        ("beat_consistency", {"sigma": 1e-3}, ({"sigma": 0},)),
        ("movement", {"clips_a_label": 1}, ({"clips_a_label": 0},)),
        ("diversity", {"pairs": 1}, ({"pairs": 0},)),
        ("multimodality", {"pairs": 1, "generations": 2, "clips": 1}, ({"pairs": 0}, {"pairs": 30}, {"clips": 0})),
        ("manifold", {"precision_k": 1, "coverage_k": 1}, ({"precision_k": 0}, {"coverage_k": 0})),
        ("r_precision", {"top": 1, "pool": 2}, ({"top": 0}, {"top": 32})),
    ],
)
def test_settings_are_allowed_up_to_their_border(name, allowed, refused):
    CLASSES[name](**allowed)
    for settings in refused:
        with pytest.raises(ValueError, match=r"allowed|must be"):
            CLASSES[name](**settings)


@pytest.mark.parametrize(
    ("name", "settings", "enough"),
    [
        ("diversity", {}, 2),
        ("caption_raw", {}, 2),
        ("caption_tokens", {}, 2),
        ("manifold", {"precision_k": 1, "coverage_k": 2}, 3),
        ("retrieval", {"protocols": ["small_batches"], "pool": 5}, 5),
        ("retrieval", {"protocols": ["dissimilar"], "subset": 4}, 4),
    ],
)
def test_as_few_samples_as_can_be_measured_and_one_fewer(name, settings, enough, clips, oracles):
    metric = CLASSES[name](**settings)

    def values(count):
        motion = oracles.motion_of(clips[:count])
        prediction, embeddings = judged(metric, motion, range(count))
        return metric.state(prediction, batch_for(metric, oracles, motion, range(count)), embeddings).compute()

    assert values(enough)
    with pytest.raises(DataError, match=metric.name):
        values(enough - 1)
