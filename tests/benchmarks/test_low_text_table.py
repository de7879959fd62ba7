"""Actions in the sentences of CMU's list."""

import pytest


@pytest.mark.parametrize(
    ("said", "actions"),
    [
        ("JumpForward", "jump forward"),
        ("forward jump", "jump forward"),
        ("run/jog", "run"),
        ("dance - turn step, folding arms", "dance, turn step, fold arms"),
        ("walk backwards and turn", "walk backwards, turn"),
        ("Alaskan vacation", ""),
        ("monkey (human subject)", ""),
        ("", ""),
    ],
)
def test_sentences_of_cmu_become_actions(benchmark, said, actions):
    assert benchmark.actions_of(said) == actions
