"""Code that is for every system and every kind of input names none of them; and how docstrings are written."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from motion_platform.core.catalog import CATALOG

PACKAGE = Path(__file__).resolve().parents[1] / "motion_platform"
GENERAL = [
    path
    for room in ("core", "model", "training", "evaluation", "pipelines", "data")
    for path in sorted((PACKAGE / room).glob("*.py"))
    if path.name != "catalog.py"  # the table of names itself
]
SYSTEMS = {name for kind in ("generators", "spaces", "motion_tokens") for name in CATALOG[kind]}
SYSTEMS |= {name for name in CATALOG["encoders"] if "_" in name}  # label, sentence, mel ... are words of the language
MODALITIES = ("music", "speech", "gesture", "conduct", "song")
ALLOWED = {
    # the usual slots by their short names: what people type
    ("pipelines/generate.py", "music"),
    ("pipelines/pipeline.py", "music"),
    ("pipelines/texts.py", "music"),
    ("data/slots.py", "music"),
    # kinds of data, a base class each
    ("data/speech.py", "speech"),
    # weights of others that can be fetched by name
    ("core/weight_files.py", "speech"),
    # what papers print of their systems, and what only one kind of model can do
    ("evaluation/published_rows.py", "guo"),
    ("pipelines/export.py", "motion_lm"),
    ("pipelines/tokens.py", "vqvae"),
    # who is asked where a model tracks no beats itself
    ("pipelines/events.py", "librosa_beats"),
}


def words(tree: ast.AST) -> list[str]:
    """Names, attributes, arguments, modules and strings of a file, without its docstrings and comments."""
    loose = {
        id(line.value)
        for node in ast.walk(tree)
        for line in (getattr(node, "body", None) if isinstance(getattr(node, "body", None), list) else [])
        if isinstance(line, ast.Expr)
    }
    found: list[str | None] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in loose:
            found.append(node.value)
        for field in ("id", "attr", "arg", "name", "module"):
            value = getattr(node, field, None)
            found.append(value if isinstance(value, str) else None)
    return [word for word in found if word]


def named(source: str) -> set[str]:
    found = set()
    for word in words(ast.parse(source)):
        found |= {name for name in SYSTEMS if re.search(rf"(?<![A-Za-z0-9_]){name}(?![A-Za-z0-9_])", word)}
        found |= {name for name in MODALITIES if name in word.lower()}
    return found


@pytest.mark.parametrize("path", GENERAL, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_general_code_names_no_system_and_no_modality(path: Path) -> None:
    place = path.relative_to(PACKAGE).as_posix()
    assert {name for name in named(path.read_text()) if (place, name) not in ALLOWED} == set()


def test_what_is_allowed_is_there() -> None:
    for place, name in ALLOWED:
        assert name in named((PACKAGE / place).read_text()), f"{place} no longer names {name}: take it from the list"


def test_the_search_finds_names_and_leaves_docstrings_alone() -> None:
    assert named('"""About music and mdm."""\nx = 1  # mdm\n') == set()
    assert named("if model.card.model.name == 'mdm':\n    pass\n") == {"mdm"}
    assert named("from motion_platform.encoders import music_mel\n") == {"music_mel", "music"}
    assert named("def f(speech_slot): ...\n") == {"speech"}
    assert named("guidance = mdm_like = 1\n") == set()


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_docstrings_are_sentences_without_sections(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node) or ""
            sections = re.findall(
                r"^\s*(?:Args|Arguments|Parameters|Returns|Raises|Yields):?\s*$|:param ", text, re.MULTILINE
            )
            assert not sections, f"{path}: {getattr(node, 'name', 'module')}: {sections[0].strip()}"


UNPICKLED = {
    "evaluation/processes.py": "what its own processes wrote a moment before, into a folder of their own",
    "encoders/glove_tags.py": "an unpickler that knows lists, tables, words and numbers, and nothing else",
}
"""Where pickles are read, and why that is safe."""


def unguarded(source: str) -> list[str]:
    """Calls that may run code out of a file: loaders without their guard, and pickles."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        loads = called.rpartition(".")[0] in ("pickle", "cPickle", "dill", "joblib", "marshal", "shelve")
        loads = loads and called.rpartition(".")[2] in ("load", "loads", "open", "Unpickler")
        yaml = called in ("yaml.load", "yaml.full_load", "yaml.unsafe_load", "yaml.load_all")
        tensors = called == "torch.load" and given.get("weights_only") != "True"
        arrays = called in ("np.load", "numpy.load") and given.get("allow_pickle") != "False"
        if loads or yaml or tensors or arrays or called in ("eval", "exec"):
            found.append(f"line {node.lineno}: {called}")
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_file_is_opened_in_a_way_that_may_run_code(path: Path) -> None:
    if path.relative_to(PACKAGE).as_posix() not in UNPICKLED:
        assert unguarded(path.read_text(encoding="utf-8")) == []


def test_the_search_finds_loaders_without_their_guard() -> None:
    for source in ("torch.load(p)", "torch.load(p, weights_only=False)", "np.load(p)", "np.load(p, allow_pickle=True)",
                   "pickle.loads(b)", "joblib.load(p)", "yaml.load(t)", "exec(t)"):  # fmt: skip
        assert len(unguarded(source)) == 1, source
    guarded = "torch.load(p, weights_only=True)\nnp.load(p, allow_pickle=False)\nyaml.safe_load(t)\npickle.dumps(x)"
    assert unguarded(guarded) == []


ZERO_TERMS = {"generators/language/motion_lm.py", "motion_tokens/dynamic_pose.py"}
"""Losses with weights that a batch may leave out (rows of codes, heads of a contrast), which several processes would
wait for; a slot that nobody projects is none of these (``Trainable.width`` 0)."""


def test_no_loss_holds_a_term_of_nothing_but_where_it_must() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"(?<![\d.])0\.0 \* ", path.read_text(encoding="utf-8"))
    }
    assert found == ZERO_TERMS
