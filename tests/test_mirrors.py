"""A test module mirrors each module: tests/ROOM/test_MODULE.py, or the file that the table names for it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE, TESTS = ROOT / "motion_platform", ROOT / "tests"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if not path.stem.startswith("__"))

ELSEWHERE = {
    "audio/listening": "pipelines/test_recordings",
    "cli/evaluate": "evaluation/test_published_rows",
    "cli/examples": "cli/test_common",
    "cli/generate": "cli/test_app",
    "core/catalog": "core/test_descriptions",
    "core/gguf": "published/test_language_models",
    "core/media": "motion/render/test_sound",
    "core/tasks": "core/test_cards",
    "data/report": "data/test_source",
    "data/sources/bandai_namco": "data/sources/test_bandai_cmu",
    "encoders/bert": "encoders/test_sentence",
    "encoders/gesture_words": "generators/gesturing/test_planner",
    "encoders/librosa_beats": "generators/conducting/test_baselines",
    "encoders/mel": "encoders/test_music_beats",
    "encoders/text": "model/test_conditioning",
    "encoders/times": "generators/gesturing/test_planner",
    "encoders/word_tags": "encoders/test_glove_tags",
    "evaluation/bounds/completion": "model/test_keeping",
    "evaluation/bounds/motion": "evaluation/test_protocol",
    "evaluation/bounds/words": "pipelines/test_caption",
    "evaluation/compare": "evaluation/test_benchmark",
    "evaluation/judges": "evaluation/test_protocol",
    "evaluation/outside": "evaluation/test_benchmark",
    "evaluation/passes": "evaluation/test_protocol",
    "evaluation/provenance": "evaluation/test_suite",
    "evaluation/report": "evaluation/test_benchmark",
    "evaluation/results": "evaluation/test_benchmark",
    "evaluation/sources": "evaluation/test_protocol",
    "evaluation/testset": "evaluation/test_protocol",
    "evaluation/tokenizer_report": "pipelines/test_tokens",
    "generators/conducting/rest": "pipelines/test_recordings",
    "generators/diffusion/geometry": "generators/diffusion/test_mdm",
    "generators/diffusion/settings": "core/test_settings",
    "language_models/decoding": "generators/language/test_motion_lm",
    "language_models/text": "generators/language/test_vocabulary",
    "metrics/beat_consistency": "metrics/test_ictus",
    "metrics/bert_score": "metrics/test_caption",
    "metrics/distances": "metrics/test_sets",
    "metrics/manifold": "metrics/test_sets",
    "metrics/r_precision": "metrics/test_sets",
    "metrics/words": "metrics/test_caption",
    "model/points": "pipelines/test_search",
    "model/run": "data/test_slots",
    "motion/gesturing/talk": "motion/gesturing/test_plan",
    "motion/render/lettering": "motion/render/test_pictures",
    "motion/rigs/naming": "motion/rigs/test_finish",
    "motion_tokens/dynamic_pose": "motion_tokens/test_vqvae",
    "motion_tokens/quantisers": "motion_tokens/test_vqvae",
    "motion_tokens/streaming": "motion_tokens/test_contract",
    "nn/frame_tokens": "generators/diffusion/test_conductor_ddpm",
    "pipelines/amounts": "pipelines/test_timeline",
    "pipelines/inventory": "cli/test_app",
    "pipelines/pipeline": "pipelines/test_inputs",
    "pipelines/planning": "pipelines/test_timeline",
    "pipelines/texts": "pipelines/test_generate",
    "studio/work": "studio/test_server",
    "texts/statements": "spaces/test_captioner",
    "training/build": "training/test_motion_lm",
    "training/progress": "training/test_train",
}
"""Module -> the file that tests it under another name, and imports it."""

COMMANDS = {
    "cli/files": ("cli/test_app", "convert"),
    "cli/imports": ("published/test_generators", "import-mdm"),
    "cli/search": ("pipelines/test_search", "search"),
}
"""Module of the command line -> the file that runs a command of it, and that command."""

MOST = 78
"""Modules without a mirror of their own. The number may only fall: a new module comes with its mirror."""


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def imported(source: str) -> set[str]:
    """The modules of the package that a source imports, as paths."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name.removeprefix("motion_platform.").replace(".", "/") for name in found}


def mirror(module: str) -> Path:
    folder, _, name = module.rpartition("/")
    return TESTS / folder / f"test_{name}.py"


@pytest.mark.parametrize("module", [module_of(path) for path in MODULES])
def test_a_module_has_a_mirror_or_stands_in_the_table(module: str) -> None:
    if mirror(module).is_file():
        assert module not in {*ELSEWHERE, *COMMANDS}, f"{module} has a mirror: take it from the table and lower MOST"
    elif module in COMMANDS:
        place, command = COMMANDS[module]
        words = {node.value for node in ast.walk(tree(TESTS / f"{place}.py")) if isinstance(node, ast.Constant)}
        assert command in words, f"tests/{place}.py does not run motion {command}"
    else:
        wanted = mirror(module).relative_to(ROOT)
        assert module in ELSEWHERE, f"write {wanted}: a test module mirrors each module"
        place = TESTS / f"{ELSEWHERE[module]}.py"
        assert module in imported(place.read_text(encoding="utf-8")), f"{place} does not import {module}"


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_the_tables_only_get_shorter() -> None:
    modules = {module_of(path) for path in MODULES}
    assert set(ELSEWHERE) | set(COMMANDS) <= modules, "a module that is gone"
    assert not set(ELSEWHERE) & set(COMMANDS)
    assert len(ELSEWHERE) + len(COMMANDS) <= MOST


def test_the_check_sees_every_kind_of_import() -> None:
    source = "import motion_platform.a.b\nfrom motion_platform.c import d\ndef f(): from motion_platform.e.g import H\n"
    assert {"a/b", "c/d", "e/g"} <= imported(source)
    assert mirror("motion/io/bvh") == TESTS / "motion" / "io" / "test_bvh.py"
    assert mirror("motion/io/bvh").is_file()
