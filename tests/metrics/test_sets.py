import time

import numpy as np
import pytest
import torch

from motion_platform.core import registry
from motion_platform.core.contracts import Embeddings, clip_of, generation_id
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Motion, MotionSpec
from motion_platform.metrics.distances import Diversity, MultimodalDistance, Multimodality
from motion_platform.metrics.frechet import Frechet
from motion_platform.metrics.manifold import Manifold
from motion_platform.metrics.r_precision import RPrecision, RPrecisionUnique, draw_pools, draw_unique_pools, hits
from motion_platform.metrics.sets import Rows


def rows_of(motion, truth=None, text=None, captions=None):
    return Rows([f"{i:05d}" for i in range(len(motion))], motion, truth, text, captions)


@pytest.fixture
def random():
    return np.random.RandomState(0)


class TestPools:
    def test_are_whole_disjoint_and_of_the_seed(self):
        pools = draw_pools(100, 32, 0)
        assert pools.shape == (3, 32)
        assert len(np.unique(pools)) == 96
        assert (pools == draw_pools(100, 32, 0)).all()
        assert (pools != draw_pools(100, 32, 1)).any()

    def test_unique_ones_hold_no_caption_twice_and_leave_out_as_few_as_possible(self, random):
        captions = [f"Caption  {i}" for i in random.zipf(1.5, 2000) % 300]
        pools = draw_unique_pools(captions, 16, 4)
        assert pools.shape[1] == 16
        assert len(np.unique(pools)) == pools.size
        for pool in pools:
            assert len({captions[i] for i in pool}) == 16
        counts = np.unique(captions, return_counts=True)[1]
        more = len(pools) + 1  # one pool more cannot be filled
        assert np.minimum(counts, more).sum() < more * 16

    def test_unique_ones_use_everything_when_captions_are_different(self):
        assert draw_unique_pools([str(i) for i in range(64)], 32, 0).shape == (2, 32)

    def test_captions_in_other_letters_and_spaces_are_the_same(self):
        assert not len(draw_unique_pools(["a man  walks", "A man walks"], 2, 0))


class TestRPrecision:
    def test_perfect(self, random):
        x = random.randn(64, 5)
        values = RPrecision().measure(rows_of(x, None, x + 1e-6))
        assert [values[f"r_precision_top_{k}"] for k in (1, 2, 3)] == [1, 1, 1]

    def test_shuffled_captions_give_chance(self, random):
        x = random.randn(32 * 400, 4)
        values = RPrecision().measure(rows_of(x, None, x[random.permutation(len(x))]))
        for k in (1, 2, 3):  # 5 standard errors
            assert values[f"r_precision_top_{k}"] == pytest.approx(k / 32, abs=5 * (k / 32 / len(x)) ** 0.5)

    def test_equals_a_sort(self, random):
        motion, text = random.randn(2, 3, 8, 5)
        got = hits(text, motion, 3)
        for p in range(3):
            for i in range(8):
                order = np.argsort(np.linalg.norm(motion[p] - text[p, i], axis=1)).tolist()
                assert got[p, i].tolist() == [float(order.index(i) < k) for k in (1, 2, 3)]

    def test_ties_share_their_places(self):
        text = np.zeros((1, 4, 2))
        motion = np.array([[[1.0, 0], [0, 1], [-1, 0], [3, 0]]])  # three at the same distance, one farther
        assert hits(text, motion, 2)[0].tolist() == [[1 / 3, 2 / 3]] * 3 + [[0, 0]]

    def test_where_everything_is_zero_there_is_chance(self):
        assert hits(np.zeros((1, 4, 2)), np.zeros((1, 4, 2)), 2)[0].tolist() == [[1 / 4, 2 / 4]] * 4

    def test_too_few_samples_or_captions_say_so(self, random):
        x = random.randn(31, 4)
        with pytest.raises(DataError, match="31 samples do not fill one pool of 32"):
            RPrecision().measure(rows_of(x, None, x))
        x = random.randn(320, 4)
        with pytest.raises(DataError, match="320 samples with 31 different captions do not fill one pool of 32"):
            RPrecisionUnique().measure(rows_of(x, None, x, [f"caption {i % 31}" for i in range(320)]))
        with pytest.raises(DataError, match="captions themselves are not there; use r_precision"):
            RPrecisionUnique().measure(rows_of(x, None, x))

    def test_settings_are_checked(self):
        with pytest.raises(ValueError, match="top: got 32; allowed: 1 to 31"):
            RPrecision(top=32)

    def test_ten_thousand_samples_take_less_than_two_seconds(self, random):
        x, y = random.randn(2, 10_000, 512)
        captions = [f"caption {i % 3000}" for i in range(10_000)]
        for metric in (RPrecision(), RPrecisionUnique()):
            start = time.process_time()
            metric.measure(rows_of(x, None, y, captions))
            assert time.process_time() - start < 4  # of both cores


class TestDistances:
    def test_multimodal_distance_of_a_known_shift(self, random):
        x = random.randn(10, 3)
        value = MultimodalDistance().measure(rows_of(x, None, x + np.array([3, 0, 4])))
        assert value == {"multimodal_distance": pytest.approx(5)}

    def test_diversity_of_gaussians_is_the_closed_form(self, random):
        x = random.randn(4000, 64)  # |x - y| of two: sqrt(2) times a chi variable with 64 degrees, mean 7.969
        value = Diversity(pairs=3000).measure(rows_of(x))["diversity"]
        assert value == pytest.approx(2**0.5 * 7.969, rel=0.005)
        assert Diversity(pairs=3000, seed=1).measure(rows_of(x))["diversity"] != value
        assert Diversity(pairs=20).measure(rows_of(np.ones((30, 4)))) == {"diversity": 0}

    def test_diversity_of_few_samples_takes_the_pairs_that_there_are_and_says_so(self, random):
        for samples in (2, 69, 293, 300):
            apart = Diversity().measure(rows_of(np.eye(samples)))  # all sqrt(2) apart: nobody with itself
            assert apart == {"diversity": pytest.approx(2**0.5), "diversity_pairs": samples}
        assert Diversity().about("diversity_pairs") == ("pairs", None)
        x = random.randn(250, 64)
        assert Diversity().measure(rows_of(x))["diversity"] == pytest.approx(2**0.5 * 7.969, rel=0.02)
        with pytest.raises(DataError, match="1 sample; two are needed"):
            Diversity().measure(rows_of(np.ones((1, 2))))

    def test_diversity_catches_three_wrong_sets(self, random):
        real = random.randn(69, 16)
        right = Diversity().measure(rows_of(real))["diversity"]
        for wrong in (np.repeat(real[:1], 69, 0), 0.3 * real, np.repeat(real[:3], 23, 0)):  # one, timid, three modes
            assert Diversity().measure(rows_of(wrong))["diversity"] < 0.85 * right

    def test_a_caption_without_words_finds_nothing_and_is_no_place(self, random):
        x = random.randn(64, 8)
        said = [f"caption {i}" for i in range(64)]
        assert RPrecision().measure(rows_of(x, None, x, said))["r_precision_top_1"] == 1
        half = [text if i % 2 else "" for i, text in enumerate(said)]
        assert RPrecision().measure(rows_of(x, None, x, half))["r_precision_top_3"] == 0.5
        y = np.where(np.arange(64)[:, None] % 2 == 1, x + 1, 99.0)
        values = MultimodalDistance().measure(rows_of(x, None, y, half))
        assert values == {"multimodal_distance": pytest.approx(8**0.5), "multimodal_distance_wordless": 32}
        with pytest.raises(DataError, match="no caption has a word"):
            MultimodalDistance().measure(rows_of(x, None, y, [""] * 64))

    def several(self, clips, generations, value):
        ids = [generation_id(f"clip {c}", k) for c in range(clips) for k in range(generations)]
        return Rows(ids, np.array([value(c, k) for c in range(clips) for k in range(generations)], dtype=float))

    def test_multimodality_is_within_a_text(self):
        metric = Multimodality(generations=4, pairs=2)
        assert metric.measure(self.several(5, 4, lambda c, k: [100 * c, 0])) == {"multimodality": 0}
        assert metric.measure(self.several(5, 4, lambda c, k: [100 * c, k]))["multimodality"] > 0

    def test_multimodality_takes_so_many_texts_and_needs_all_predictions(self):
        metric = Multimodality(clips=3, generations=4, pairs=2)
        rows = self.several(5, 4, lambda c, k: [c * k])
        first = metric.measure(rows)
        assert first == metric.measure(rows)
        far = self.several(5, 4, lambda c, k: [10**c * k])  # each text adds to a decimal place of its own
        steps = round(metric.measure(far)["multimodality"] * 3 * 2)  # 3 texts, 2 pairs
        assert sum(digit != "0" for digit in f"{steps:05d}") == 3
        rows.ids[-1] = "clip 5#0"
        with pytest.raises(DataError, match="'clip 4' has 3 predictions instead of 4"):
            metric.measure(rows)

    def test_as_many_texts_as_are_taken_are_all_of_them_and_no_chance_is_spent_on_which(self):
        rows = self.several(5, 4, lambda c, k: [c * k, k**2])
        settings = {"generations": 4, "pairs": 2}
        assert Multimodality(clips=5, **settings).measure(rows) == Multimodality(clips=100, **settings).measure(rows)

    def test_multimodality_of_a_known_distance(self):
        rows = self.several(3, 2, lambda c, k: [3.0 * k, 4.0 * k])
        found = {Multimodality(generations=2, pairs=1, seed=seed).measure(rows)["multimodality"] for seed in range(8)}
        assert found == {0.0, 5.0}  # the one pair is of one with itself, or of both

    def test_ids_of_generations(self):
        assert clip_of(generation_id("a#b", 12)) == "a#b"
        assert clip_of("a#b") == "a#b"


class TestManifold:
    def test_same_set(self, random):
        x = random.randn(50, 3)
        values = Manifold().measure(rows_of(x, x.copy()))
        assert values["manifold_precision_k3"] == values["manifold_recall_k3"] == values["manifold_coverage_k5"] == 1
        assert values["manifold_density_k5"] == pytest.approx(
            1
        )  # itself and four neighbours of five, all in open balls

    def test_far_away_all_are_zero(self, random):
        x = random.randn(50, 3)
        assert set(Manifold().measure(rows_of(x + 100, x)).values()) == {0}

    def test_dropped_modes_cost_recall_and_coverage_but_not_precision(self, random):
        truth = np.concatenate([random.randn(100, 2), random.randn(100, 2) + 50])
        values = Manifold().measure(rows_of(random.randn(200, 2), truth))
        assert values["manifold_precision_k3"] > 0.9
        assert values["manifold_recall_k3"] < 0.55
        assert values["manifold_coverage_k5"] < 0.55

    def test_equals_a_loop_across_blocks(self, random, monkeypatch):
        monkeypatch.setattr("motion_platform.metrics.manifold.BLOCK", 7)
        x, y = random.randn(2, 30, 4)
        values = Manifold(2, 3).measure(rows_of(x, y))
        far = [sorted(np.linalg.norm(a - b) for b in y)[3] for a in y]  # the first is itself
        inside = np.array([[np.linalg.norm(a - b) < r for b in x] for a, r in zip(y, far, strict=True)])
        assert values["manifold_density_k3"] == pytest.approx(inside.sum() / (3 * 30))
        assert values["manifold_coverage_k3"] == pytest.approx(inside.any(1).mean())

    @pytest.mark.parametrize("scale", [1e-3 / 3, 1 / 3, 1e5 / 3])
    def test_equal_vectors_are_equal_however_long_they_are(self, random, scale):
        """Of four that differ in the last digit balls to the third neighbour have no size, and nothing is in them."""
        copies = scale * np.repeat(random.randn(12, 6), 4, 0)
        rounding = np.finfo(float).eps * (np.arange(48) % 4)[:, None]
        values = Manifold(3, 3).measure(rows_of(copies * (1 + rounding), copies * (1 - rounding)))
        assert set(values.values()) == {0.0}

    def test_the_balls_are_open(self):
        """Ten places in a row, and the same moved on by one: the first and the last touch a ball from outside."""
        truth = 10.0 * np.arange(10)[:, None]
        values = Manifold(1, 1).measure(rows_of(truth + 10, truth))
        assert values == dict.fromkeys(
            [f"manifold_{name}_k1" for name in ("precision", "recall", "density", "coverage")], 0.9
        )

    def test_recall_and_precision_equal_a_loop(self, random):
        x, y = random.randn(2, 30, 3)

        def in_balls(of, members):
            far = [sorted(np.linalg.norm(a - b) for b in members)[2] for a in members]  # the first is itself
            return np.mean([any(np.linalg.norm(a - b) < r for a, r in zip(members, far, strict=True)) for b in of])

        values = Manifold(2, 2).measure(rows_of(x, y))
        assert values["manifold_precision_k2"] == pytest.approx(in_balls(x, y))
        assert values["manifold_recall_k2"] == pytest.approx(in_balls(y, x))
        assert values["manifold_precision_k2"] != values["manifold_recall_k2"]

    def test_too_few_and_all_the_same_say_so(self, random):
        x = random.randn(5, 2)
        with pytest.raises(DataError, match="5 samples have no 5-th neighbour"):
            Manifold().measure(rows_of(x, x))
        with pytest.raises(DataError, match="all real motions have the same embedding"):
            Manifold().measure(rows_of(random.randn(9, 2), np.ones((9, 2))))


class TestState:
    def state(self, metric, size, captions=None, width=4):
        clips = Motion(torch.zeros(3, 2, 66), torch.full((3,), 2), SPEC)
        batch = Batch(ids=[f"{size} {b}" for b in range(3)], raw={}, lengths=clips.lengths, motion=clips)
        x = torch.rand(3, width)
        return metric.state(clips, batch, Embeddings(x, x, x, captions))

    @pytest.mark.usefixtures("joints_as_features")
    def test_bad_batches_say_so(self):
        with pytest.raises(DataError, match="r_precision: 2 captions but 3 sample ids"):
            self.state(RPrecision(), 1, ["walk", "run"])
        self.state(Frechet(), 1, ["", "", ""])  # does not read captions
        with pytest.raises(DataError, match="two different spaces"):
            self.state(Frechet(), 1).merge(self.state(Frechet(), 2, width=5))
        with pytest.raises(DataError, match=r"two different spaces \(truth embeddings\)"):
            self.state(Frechet(), 1).merge(self.state(RPrecision(), 2))

    @pytest.mark.usefixtures("joints_as_features")
    def test_text_of_another_space_than_the_motion_is_refused(self):
        clips = Motion(torch.zeros(3, 2, 66), torch.full((3,), 2), SPEC)
        batch = Batch(ids=["a", "b", "c"], raw={}, lengths=clips.lengths, motion=clips)
        seen = Embeddings(torch.rand(3, 4), text=torch.rand(3, 5))
        with pytest.raises(DataError, match="text has 5 dimensions and motion 4; both must be of one space"):
            RPrecision().state(clips, batch, seen)

    def test_members_of_a_set_are_taken_in_any_order_and_more_than_once(self, random):
        rows = rows_of(random.randn(4, 2), None, random.randn(4, 2), list("abcd"))
        taken = rows.take([3, 1, 1])
        assert (taken.ids, taken.captions, taken.truth) == (["00003", "00001", "00001"], ["d", "b", "b"], None)
        assert (taken.text == rows.text[[3, 1, 1]]).all()
        assert rows_of(rows.motion).take([0]).captions is None

    @pytest.mark.usefixtures("joints_as_features")
    def test_metrics_of_one_space_share_the_memory_of_its_embeddings(self):
        clips = Motion(torch.zeros(3, 2, 66), torch.full((3,), 2), SPEC)
        batch = Batch(ids=["a", "b", "c"], raw={}, lengths=clips.lengths, motion=clips)
        seen = Embeddings(torch.rand(3, 4), torch.rand(3, 4))
        states = [registry.build("metrics", name).state(clips, batch, seen) for name in ("frechet", "manifold")]
        assert np.shares_memory(states[0].chunks[0].truth, states[1].chunks[0].truth)


SPEC = MotionSpec("joints", "humanml3d", 20.0, torch.zeros(66), torch.ones(66))
