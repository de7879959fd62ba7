"""The linear probe and the means that it reads."""

import torch

from motion_platform.core.contracts import Encoder
from motion_platform.core.schema import Condition


class Counts(Encoder):
    """A token a word, one-hot by its length."""

    reads, dim = "text", 8

    def forward(self, raw):
        words = [[min(len(word), 7) for word in text.split()] for text in raw]
        longest = max(map(len, words))
        mask = torch.tensor([[k < len(row) for k in range(longest)] for row in words])
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in words])
        return Condition(torch.nn.functional.one_hot(ids, 8).float() * 3, mask)

    def fingerprint(self):
        return "counts"


def test_features_are_means_over_real_tokens(benchmark):
    rows, length = benchmark.features(Counts(), ["a bb", "ccc"])
    assert rows[0].tolist() == [0, 1.5, 1.5, 0, 0, 0, 0, 0]
    assert rows[1].tolist() == [0, 0, 0, 3, 0, 0, 0, 0]
    assert length == 3


def test_the_probe_separates_what_a_line_separates(benchmark):
    random = torch.Generator().manual_seed(0)
    x = torch.randn(200, 5, generator=random)
    labels = (x[:, 0] + 2 * x[:, 1] > 0).long() + (x[:, 2] > 1).long()
    y = torch.randn(200, 5, generator=random)
    wanted = (y[:, 0] + 2 * y[:, 1] > 0).long() + (y[:, 2] > 1).long()
    assert (benchmark.probe(x, labels, y) == wanted).float().mean() > 0.8
    shuffled = labels[torch.randperm(200, generator=random)]
    assert (benchmark.probe(x, shuffled, y) == wanted).float().mean() < 0.6


def test_texts_are_different_and_of_known_contents(benchmark):
    texts, contents = benchmark.training_texts(2)
    asked, wanted = benchmark.test_texts()
    assert len(texts) == len(contents) == 2 * len(set(contents))
    assert set(wanted) <= set(contents)
    assert not set(texts) & set(asked)
