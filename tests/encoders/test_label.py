import pytest
import torch

from motion_platform.core.errors import ConfigError, UnknownName
from motion_platform.core.registry import build
from motion_platform.encoders.label import LabelEncoder


def test_unknown_label_names_the_nearest():
    with pytest.raises(UnknownName, match=r"labels\[1\].*'hapy'; did you mean 'happy'"):
        LabelEncoder(["happy", "sad"])(["sad", "hapy"])


def test_each_label_has_its_own_vector_which_learns():
    encoder = LabelEncoder(["happy", "sad"], dim=4)
    made = encoder(["sad", "", "happy", "sad"])
    assert torch.equal(made.tokens[0], made.tokens[3])
    assert torch.equal(made.tokens[2, 0], encoder.table.weight[0])
    made.tokens.sum().backward()
    assert encoder.table.weight.grad[:, 0].tolist() == [1.0, 2.0], "the empty label touches nobody's vector"


def test_fingerprint_follows_the_weights():
    encoder = LabelEncoder(["happy", "sad"], dim=4)
    before = encoder.fingerprint()
    with torch.no_grad():
        encoder.table.weight[0, 0] += 1
    assert encoder.fingerprint() != before


@pytest.mark.parametrize("labels", [[], ["a", "a"], ["a", " "]])
def test_wrong_labels(labels):
    with pytest.raises(ConfigError, match="labels"):
        build("encoders", "label", {"labels": labels, "dim": 4})
