"""What is done to the clips is what their names say, and a recogniser that answers by length is caught."""

import numpy as np
import pytest
import torch

from motion_platform.core.schema import MotionSpec
from motion_platform.motion.representations import get_representation

LABELS = [{"content": "wave-left-hand", "style": "sad"}, {"content": "walk-turn-left"}]


@pytest.fixture
def clips(sample_dataset):
    decode = get_representation(sample_dataset.representation).decode
    rows = [row for row in range(len(sample_dataset)) if sample_dataset.frames[row] >= 80][:2]
    return [decode(torch.tensor(sample_dataset.features(row)).double()).numpy()[:80] for row in rows]


class ByLength:
    """A "recogniser" that calls what is longer than 3 s a wave."""

    def __init__(self) -> None:
        self.spec = MotionSpec("humanml3d_essential", "humanml3d", 20.0, torch.zeros(67), torch.ones(67))
        self.trainable = self

    def classify(self, motion):
        names = ("raise-up-left-hand", "wave-left-hand")
        return [{"content": names[n > 62], "style": "sad"} for n in motion.lengths.tolist()]


def test_every_change_does_what_it_says(benchmark, clips):
    joints = clips[0]
    done = {name: change(joints) for name, (change, _) in benchmark.CHANGES.items()}
    assert len(done["first half"]) == 40
    assert np.array_equal(done["middle half"], joints[20:60])
    assert np.array_equal(done["half speed"][::2], joints)
    assert np.allclose(done["double speed"], joints[::2])
    assert abs(len(done["squeezed to 3 s"]) - 60) <= 1
    assert np.allclose(done["squeezed to 3 s"][-1], joints[-1], atol=0.1)
    assert abs(len(done["stretched to 9 s"]) - 180) <= 1
    assert np.array_equal(done["last pose held for 3 s"][-1], joints[-1])
    assert np.array_equal(done["stuttering, 10 fps"][1::2], joints[::2])
    assert np.array_equal(done["reversed"], joints[::-1])
    assert np.ptp(done["frozen in the middle"], axis=0).max() == 0
    assert np.abs(np.diff(done["on the spot"][:, 0, [0, 2]], axis=0)).max() < 1e-9
    assert np.allclose(done["root at half speed"][:, 0, 1], joints[:, 0, 1])
    arms = done["arms frozen"][:, 20] - done["arms frozen"][:, 12]
    assert np.ptp(arms, axis=0).max() < 1e-9


def test_who_answers_by_length_is_right_of_whole_clips_and_wrong_of_parts(benchmark, clips):
    found = benchmark.measure(ByLength(), clips, LABELS)
    assert found["as it is"]["content"] == 50  # the wave; the turn is no wave
    assert found["as it is"]["style"] == 100
    assert found["first half"] == {"content": 0, "style": 100, "still": 0, "clips": 1}
    assert found["waves, first 3 s"] == {"content": 0, "raised": 100, "clips": 1}
    assert found["frozen in the middle"]["content"] == 50
