import pytest

from motion_platform.core.contracts import Embeddings
from motion_platform.core.errors import DataError
from motion_platform.metrics.recognition import Recognition


@pytest.fixture
def state(oracles):
    def make(answers, labels):
        motion = oracles.motion_of([oracles.standing(4)] * len(answers))
        return Recognition().state(motion, oracles.batch_of(motion, labels), Embeddings(labels=answers))

    return make


WALK = {"content": "walk", "style": "tired"}


def test_accuracy_a_target_and_for_all_targets(state):
    answers = [WALK, {"content": "run", "style": "tired"}, {"content": "run", "style": "sad"}, WALK]
    assert state(answers, [WALK] * 4).compute() == {
        "recognition_content": 0.5,
        "recognition_style": 0.75,
        "recognition_all": 0.5,
    }


def test_each_label_of_a_target_has_a_value_of_its_own(oracles):
    motion = oracles.motion_of([oracles.standing(4)] * 4)
    labels = [{"style": "tired"}, {"style": "tired"}, {"style": "sad"}, {"content": "walk"}]
    answers = [{"style": "tired", "content": "walk"}] * 4
    got = Recognition(each=["style"]).state(motion, oracles.batch_of(motion, labels), Embeddings(labels=answers))
    values = got.compute()
    assert values["recognition_style_tired"] == 1.0
    assert values["recognition_style_sad"] == 0.0
    assert values["recognition_style"] == pytest.approx(2 / 3)
    assert not [name for name in values if name.startswith("recognition_content_")]


def test_samples_without_labels_say_nothing(state):
    got = state([WALK, WALK, WALK], [WALK, {}, {"style": "sad"}])
    assert got.ids == {"clip 0", "clip 1", "clip 2"}
    assert got.compute() == {"recognition_content": 1.0, "recognition_style": 0.5, "recognition_all": 0.5}


def test_needs_labels_and_a_recogniser(state, oracles):
    with pytest.raises(DataError, match="no labels"):
        state([WALK], None)
    motion = oracles.motion_of([oracles.standing(4)])
    with pytest.raises(DataError, match="needs a recogniser"):
        Recognition().state(motion, oracles.batch_of(motion, [WALK]), None)
