"""The measures of the low-level text benchmark against counts by hand and scipy."""

import json

import numpy as np
import pytest

from motion_platform.core import config
from motion_platform.planners.dictionary import Dictionary
from motion_platform.planners.low_texts import Example


@pytest.fixture
def settings(benchmark):
    return config.check(benchmark.Settings, config.read_yaml(benchmark.FILE), benchmark.FILE)


@pytest.fixture(scope="module")
def dictionary(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTION_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield Dictionary([Example("a person walks", "walk"), Example("he bows", "bow")])


def test_verbs_and_their_f1(benchmark):
    assert benchmark.verbs("Walking forward, slow walk, zumba") == {"walk": 2, "zumba": 1}
    assert benchmark.f1("walk, bow", "walk, bow") == 1
    assert benchmark.f1("walks, turn left", "walk, walk, bow") == pytest.approx(2 * 1 / 5)
    assert benchmark.f1("jump", "bow") == 0


def test_a_row_counts_equal_texts_and_means_cosines(benchmark, dictionary):
    row = benchmark.measure(dictionary, "x", ["walk", "Bow", "jump"], ["walk", "bow", "sit"], 3.0)
    assert row.exact.tolist() == [1, 1, 0]
    assert row.cosine[:2] == pytest.approx([1, 1], abs=1e-5)
    assert row.cosine[2] < 0.9
    assert row.cells()[4] == "1.00"


def test_the_two_directions_of_the_test(benchmark, settings):
    from scipy.stats import ks_2samp

    random = np.random.default_rng(0)
    low, high = random.normal(0.6, 0.1, 40), random.normal(0.8, 0.1, 40)
    settings = settings.model_copy(update={"k": [5]})

    def row(name, cosine):
        return benchmark.Row(f"{settings.model}, 5 {name} examples", cosine, cosine, cosine)

    ((k, not_lower, not_higher),) = benchmark.ks_tests([row("KATE", high), row("random", low)], settings)
    assert (k, not_higher) == (5, pytest.approx(ks_2samp(high, low, alternative="less").pvalue))
    assert not_lower > 0.9
    assert not_higher < 1e-6


def test_queries_are_different_captions_drawn_by_the_seed(benchmark):
    examples = [Example(f"caption {k % 30}", "walk") for k in range(60)]
    drawn = benchmark.one_a_caption(examples, 10, 1)
    assert len({example.caption for example in drawn}) == 10
    assert drawn == benchmark.one_a_caption(list(reversed(examples)), 10, 1)
    assert drawn != benchmark.one_a_caption(examples, 10, 2)


def test_prose_is_counted(benchmark):
    assert benchmark.is_prose("The person walks. Then they bow.")
    assert not benchmark.is_prose("walk, bow")


def test_two_people_on_babel(benchmark, dictionary, tmp_path):
    labels = [{"labels": [{"proc_label": text, "start_t": 0, "end_t": 2}]} for text in ("walk", "walk")]
    record = {"feat_p": "KIT/KIT/3/d_poses.npz", "seq_anns": [], "frame_anns": labels}
    (tmp_path / "extra_train.json").write_text(json.dumps({"1": record}))
    row = benchmark.annotators(tmp_path, dictionary, 5, 0)
    assert (row.cosine[0], row.verbs[0]) == (pytest.approx(1, abs=1e-5), 1)
