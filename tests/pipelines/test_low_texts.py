"""Low-level text made of the caption, another one a sample; and what is refused."""

import numpy as np
import pytest

from motion_platform.core import registry
from motion_platform.core.catalog import CATALOG
from motion_platform.core.errors import UnknownName, UsageError
from motion_platform.core.plan import Planner, plan_of_actions
from motion_platform.pipelines import generate, planning
from motion_platform.training import build


class Numbered(Planner):
    """Says the sample's number."""

    name = "numbered"
    samples_differ = True

    def plan(self, sentences, *, sample=0, seed=0):
        return [plan_of_actions(["walk", f"bow {sample}"], self.name, sentence) for sentence in sentences]


@pytest.fixture
def run(recipe, monkeypatch):
    known = registry.get
    monkeypatch.setitem(CATALOG["planners"], "numbered", "here:Numbered")
    monkeypatch.setattr(
        registry, "get", lambda kind, name, **k: Numbered if name == "numbered" else known(kind, name, **k)
    )
    made = build.assemble(recipe("model.settings.sample_steps=1"), name="toy")
    made.model.eval()  # or dropout makes another motion every time
    return made


def test_every_sample_has_its_own_low_level_text_and_is_what_both_texts_make(run):
    lines = []
    clips = planning.make(
        run, ["hello", "bye"], ["@numbered", "run"], samples=2, seed=5, seconds=[1.0], say=lines.append
    )
    assert [clip.captions for clip in clips] == [
        ("hello", "walk, bow 0"),
        ("hello", "walk, bow 1"),
        ("bye", "run"),
        ("bye", "run"),
    ]
    assert [clip.name for clip in clips] == [f"motion_00{k}" for k in range(1, 5)]
    assert lines == [f"low-level text of 'hello' by numbered: walk, bow {k}" for k in (0, 1)]
    same = generate.generate_texts(run, ["hello"], ["walk, bow 1"], seed=6, seconds=[1.0])[0]
    np.testing.assert_allclose(clips[1].joints, same.joints, atol=1e-4)


def test_what_cannot_be_made_is_one_line(run, recipe):
    with pytest.raises(UnknownName, match="--low-text: unknown planner 'nobody'"):
        planning.make(run, ["hello"], ["@nobody"])
    with pytest.raises(UsageError, match="a planner makes it of the text"):
        planning.make(run, [None], ["@numbered"])
    with pytest.raises(UsageError, match="'@numbered' names a planner; that is for --text alone"):
        generate.inputs_of(run, texts=["hello"], low_texts=["@numbered"])
    one = build.assemble(recipe("~slots.text_low"), name="one")
    with pytest.raises(UsageError, match="was trained without the slot 'text_low'"):
        planning.make(one, ["hello"], ["@numbered"])
