"""One word a thing, one thing a word: no two classes of the package share a name, but for the pairs named here."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "motion_platform"

REGISTERED = "a name of the catalog, in two kinds: the data set and what its files hold"
FORM = "what a form of the web page sends, beside what is done with it"
SHARED = {
    "Beat": REGISTERED,
    "Conductor": "a made-up person of the scores, and the representation",
    "Gesture": "a gesture of the library, and the features of gestures",
    "Zeggs": REGISTERED,
    "Caption": FORM,
    "Edit": FORM,
    "Encoder": "of a condition, and of a convolutional tokenizer: the field's word for both",
    "Block": "a block of a network, inside its own file",
    "Body": "what a body is made of: names, a mesh, and the frame of HumanML3D",
    "Column": "of a table, in two reports",
    "Grammar": "of an answer, and of the words of a data set",
    "Job": "what a benchmark is asked, and what the web page works on",
    "Lexicon": "the verbs of a metric are no part of a planner",
    "Line": "of a report, and of a file of texts",
    "Rows": "of a prepared set, and of a metric's state",
    "Stroke": "of a conductor's beat, and of a gesture",
}
"""Name -> why two classes of one name are there. The list may only get shorter."""
MOST = 16

FUNCTIONS = ("clip_of", "contrast", "joints_of")
"""Names of functions that once stood for two things each."""


def defined(kind: type[ast.stmt] | tuple[type[ast.stmt], ...]) -> dict[str, list[str]]:
    """Public name -> files that define such a thing at their top level."""
    found = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, kind) and not node.name.startswith("_"):  # type: ignore[attr-defined]
                found[node.name].append(path.relative_to(PACKAGE).as_posix())  # type: ignore[attr-defined]
    return found


def test_no_two_classes_share_a_name() -> None:
    shared = {name: places for name, places in defined(ast.ClassDef).items() if len(places) > 1 and name not in SHARED}
    assert not shared, f"one word, two things: {shared}; see docs/decisions/0004-names.md"


def test_the_list_only_gets_shorter() -> None:
    assert len(SHARED) <= MOST
    classes = defined(ast.ClassDef)
    assert {name for name in SHARED if len(classes[name]) < 2} == set(), "they share no name any more"


def test_functions_that_stood_for_two_things_stand_for_one() -> None:
    functions = defined(ast.FunctionDef)
    assert {name: functions[name] for name in FUNCTIONS if len(functions[name]) > 1} == {}


def test_no_function_has_an_argument_of_its_own_name() -> None:
    """``run(run, ...)``: the function, and the model with its data, in one word."""
    found = [
        f"{path.relative_to(PACKAGE)}: {node.name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and node.name in {a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
    ]
    assert found == []
