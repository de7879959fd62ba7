"""A small table of captions with low-level text, and a language model with random weights that reads bytes."""

import pytest

ROWS = [
    ("a person walks forward", "walk"),
    ("somebody strolls ahead", "walk"),
    ("a man strides on", "walk forward"),
    ("a person bows politely", "stand, bow"),
    ("a woman waves her right hand", "wave right hand"),
    ("someone waves goodbye with the right hand", "raise right hand, wave right hand"),
    ("a person sits down on a chair", "sit down"),
]


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    path.write_text("caption,low\n" + "".join(f'{high},"{low}"\n' for high, low in ROWS))
    return path


@pytest.fixture(scope="session")
def tiny_language_model(tiny_bases):
    return tiny_bases["llama"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path_factory.getbasetemp() / "motion_cache"))
