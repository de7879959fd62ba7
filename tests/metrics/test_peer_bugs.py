"""Bugs that systems of the field were published with, one test each: ours must not have them."""

import numpy as np
import pytest
import torch

from motion_platform.core import registry
from motion_platform.core.contracts import Embeddings
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Motion, MotionSpec
from motion_platform.metrics.bert_score import BERTScoreRaw
from motion_platform.metrics.foot_skating import FootSkating
from motion_platform.metrics.frechet import Frechet, FrechetNormalised
from motion_platform.metrics.physical import Floating
from motion_platform.metrics.prediction import APD
from motion_platform.metrics.r_precision import RPrecision, RPrecisionUnique

pytestmark = pytest.mark.usefixtures("joints_as_features")
N, E = 100, 6
SPEC = MotionSpec("joints", "humanml3d", 20.0, torch.zeros(66), torch.ones(66))
SET_METRICS = {
    "frechet": {},
    "frechet_normalised": {},
    "r_precision": {},
    "r_precision_unique": {"pool": 8},
    "multimodal_distance": {},
    "diversity": {"pairs": 40},
    "manifold": {},
    "retrieval": {"protocols": ["all", "small_batches"]},
}


@pytest.fixture(scope="module")
def numbers():
    random = torch.Generator().manual_seed(3)
    truth = torch.randn(N, E, generator=random)
    motion = truth + 0.5 * torch.randn(N, E, generator=random)
    return motion, truth, truth + 0.7 * torch.randn(N, E, generator=random)


def state_of(metric, numbers, rows):
    motion, truth, text = (x[list(rows)] for x in numbers)
    clips = Motion(torch.zeros(len(motion), 2, 66), torch.full((len(motion),), 2), SPEC)
    captions = [f"caption {row % 20}" for row in rows]
    batch = Batch(ids=[f"{row:03d}" for row in rows], raw={}, lengths=clips.lengths, motion=clips)
    return metric.state(clips, batch, Embeddings(motion, truth, text, captions))


def scores(metric, numbers, batches):
    total = None
    for rows in batches:
        state = state_of(metric, numbers, rows)
        total = state if total is None else total.merge(state)
    return total.compute()


@pytest.mark.parametrize("name", SET_METRICS)
def test_the_batch_must_be_32_or_the_number_changes(name, numbers):
    """MDM and its heirs take the batch as the pool of R-precision: batch size and order change the score."""
    metric = registry.build("metrics", name, SET_METRICS[name])
    whole = scores(metric, numbers, [range(N)])
    order = np.random.RandomState(1).permutation(N).tolist()
    for size in (1, 7, 32):
        cut = [order[i : i + size] for i in range(0, N, size)]
        assert scores(metric, numbers, cut) == whole  # to the last bit


@pytest.mark.parametrize("name", SET_METRICS)
@pytest.mark.parametrize("world", [2, 3])
def test_scores_depend_on_the_number_of_processes(name, world, numbers):
    metric = registry.build("metrics", name, SET_METRICS[name])
    shards = [range(rank, N, world) for rank in range(world)]
    assert scores(metric, numbers, shards) == scores(metric, numbers, [range(N)])


def test_padding_samples_of_the_last_rank_are_counted_twice(numbers):
    """With Accelerate's defaults 21 samples on 2 processes are averaged as 24."""
    with pytest.raises(DataError, match="counted twice: 000"):
        scores(Frechet(), numbers, [range(50), [*range(50, N), 0]])


def test_the_last_incomplete_batch_is_dropped_in_silence(numbers):
    values = scores(RPrecision(), numbers, [range(N)])
    assert values["r_precision_left_out"] == N % 32
    motion, _, text = numbers
    far = (motion, numbers[1], torch.cat([text[:-1], text[-1:] + 1000]))
    metric = registry.build("metrics", "multimodal_distance")
    assert scores(metric, far, [range(N)])["multimodal_distance"] > 10  # the last sample counts


def test_fid_of_normalised_embeddings_goes_by_the_name_of_fid(numbers):
    """Motius divides embeddings by their length and calls the result FID."""
    larger = tuple(3 * x for x in numbers)
    raw = scores(Frechet(), numbers, [range(N)])["frechet"]
    assert scores(Frechet(), larger, [range(N)])["frechet"] == pytest.approx(9 * raw, rel=1e-5)
    unit = scores(FrechetNormalised(), numbers, [range(N)])
    assert scores(FrechetNormalised(), larger, [range(N)]) == pytest.approx(unit, rel=1e-5)
    assert set(unit) == {"frechet_normalised", "frechet_normalised_floor"}
    assert unit["frechet_normalised"] < 4


def test_a_metric_is_averaged_over_clips_for_one_system_and_pooled_for_another(numbers):
    """Diffusion-Conductor's baseline has its Frechet distance averaged over clips; a long clip counts like a short."""
    halves = [scores(Frechet(), numbers, [rows])["frechet"] for rows in (range(50), range(50, N))]
    merged = scores(Frechet(), numbers, [range(50), range(50, N)])["frechet"]
    assert merged == scores(Frechet(), numbers, [range(N)])["frechet"]
    assert merged < 0.9 * np.mean(halves)


def test_frames_of_a_long_clip_weigh_as_much_as_those_of_a_short_one(oracles):
    up = oracles.standing(30) + torch.tensor([0.0, 0.04, 0.0])
    motion = oracles.motion_of([up, oracles.standing(10)])
    value = Floating().state(motion, oracles.batch_of(motion)).compute()["floating"]
    assert value == pytest.approx(3.0, rel=1e-5)  # 2.0 if clips were averaged


def test_features_are_transposed(numbers):
    """Diffusion-Conductor takes the 1800 time steps for the dimensions of an embedding."""
    motion, truth, _ = numbers
    clips = Motion(torch.zeros(N, 2, 66), torch.full((N,), 2), SPEC)
    batch = Batch(ids=[f"{row:03d}" for row in range(N)], raw={}, lengths=clips.lengths, motion=clips)
    with pytest.raises(DataError, match=rf"truth embeddings are \({E}, {N}\), but the batch has {N} ids"):
        Frechet().state(clips, batch, Embeddings(motion, truth.T))
    with pytest.raises(DataError, match=r"motion embeddings are \(100, 1, 6\)"):
        Frechet().state(clips, batch, Embeddings(motion[:, None], truth))


def test_lengths_are_divided_twice(oracles):
    """MotionGPT and MotionGPT3 divide lengths by 4 twice, so that only the first quarter of a clip is judged."""
    still, late = oracles.standing(40), oracles.standing(40)
    late[38:, :, 1] += 0.5
    motion, real = oracles.motion_of([late]), oracles.motion_of([still])
    batch = oracles.batch_of(real)
    for name, frames in {"mse": 2, "mpjpe": 0, "root_error": 2, "floating": 2}.items():
        values = registry.build("metrics", name).state(motion, batch).compute()
        wanted = {"mse": 0.25 / 3, "mpjpe": 0, "root_error": 500, "floating": 50}[name] * frames / 40
        assert values[name] == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    assert registry.build("metrics", "fde").state(motion, batch).compute()["fde"] == pytest.approx(0.5 * 22**0.5)
    skate = FootSkating().state(motion, batch).compute()
    assert skate["foot_contact"] == pytest.approx(37 / 39)


def test_the_length_of_a_caption_counts_its_padding():
    """MDM's first table read past the sentence, into its padding: company of a longer caption changed a score."""
    metric = BERTScoreRaw()
    short = ("a man walks", ["a person walks"])
    long = ("a man walks", ["somebody goes forward slowly in a straight line and then turns around to the left"])
    alone, other, both = metric.measure([short]), metric.measure([long]), metric.measure([short, long])
    for name, value in both.items():
        assert value == pytest.approx((alone[name] + other[name]) / 2, rel=1e-12)


def test_a_declared_metric_is_never_computed(oracles):
    """MotionGPT declares APD and reports the zero that it starts with."""
    motion = oracles.motion_of([oracles.standing(4), oracles.standing(4) + torch.tensor([0.3, 0.0, 0.0])])
    batch = oracles.batch_of(motion)
    batch.ids = ["walk#0", "walk#1"]
    values = APD(generations=2).state(motion, batch).compute()
    assert values["apd"] == pytest.approx(0.3 * (4 * 22) ** 0.5, rel=1e-5)


def test_one_answer_to_every_text_scores_more_than_chance(numbers):
    """Where ties go by position, a collapsed model is right whenever a sort leaves the diagonal first."""
    motion, truth, text = numbers
    collapsed = (motion[:1].expand(N, E), truth, text)
    for metric, pool in ((RPrecision(), 32), (RPrecisionUnique(pool=8), 8)):
        values = scores(metric, collapsed, [range(N)])
        assert [values[f"{metric.name}_top_{k}"] for k in (1, 2, 3)] == pytest.approx([k / pool for k in (1, 2, 3)])
    found = scores(registry.build("metrics", "retrieval", SET_METRICS["retrieval"]), collapsed, [range(N)])
    assert found["retrieval_all_text_to_motion_recall_10"] == 0
    assert found["retrieval_all_text_to_motion_median_rank"] == pytest.approx((N + 1) / 2)


def test_a_repeated_caption_makes_a_right_answer_wrong(numbers):
    """63 % of the captions of HumanML3D's test set belong to several motions; the unique pools have none twice."""
    _, truth, _ = numbers
    text = truth[torch.arange(N) % 20]  # five motions for each of twenty captions, all at its text
    same = (text + 1e-3 * truth, truth, text)
    assert scores(RPrecisionUnique(pool=8), same, [range(N)])["r_precision_unique_top_1"] == 1.0
    assert scores(RPrecision(), same, [range(N)])["r_precision_top_1"] < 0.8
