"""Documents that cannot rot: links lead somewhere, commands are parsed by the command line, names and code are real."""

from __future__ import annotations

import ast
import functools
import importlib
import re
import shlex
import sys
from pathlib import Path

import pytest
import typer
from documents import DOCUMENTS, ROOT, blocks, commands

from motion_platform.cli import app as cli
from motion_platform.cli.examples import EXAMPLES
from motion_platform.core import cards, catalog, config, registry, tasks
from motion_platform.training import build

NAMES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]
IN_LINE = re.compile(r"`(motion(?: [^`\n]+)?)`")
IN_A_CHECKPOINT = ("model.yaml", "recipe.yaml")
PLACES = (
    "",
    "motion_platform/",
    "motion_platform/motion/",
    "motion_platform/evaluation/",
    "motion_platform/pipelines/",
    "motion_platform/training/",
    "configs/",
)


def anchors(path: Path) -> set[str]:
    """What a link can point to within a document."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), f"{path}: {target}"
        assert found.is_relative_to(ROOT), f"{path}: {target} leaves the repository"
        assert not anchor or anchor in anchors(found), f"{path}: no heading for {target}"


@functools.cache
def command_line():
    return typer.main.get_command(cli.app)


def parse(words: list[str]) -> None:
    """Parse a whole command as the command line does, without running it. Raises what the parser raises."""
    command, context, rest = command_line(), None, words[1:]
    name = "motion"
    while True:
        context = command.make_context(name, list(rest), parent=context)
        if not hasattr(command, "resolve_command"):
            return
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)


def known(words: list[str]) -> None:
    """A command in running text may be a part of one: its name and every option in it must exist."""
    command, rest = command_line(), words[1:]
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"there is no command {' '.join(words)}"
        command, rest = command.commands[rest[0]], rest[1:]
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    if words[1:2] == ["generate"] and set(words[2:3]) & set(cards.names("tasks")):  # every slot is an option
        card = tasks.load(words[2])
        options |= {card.option(slot) for slot in card.reads}
    for word in rest:
        if word.startswith("-"):
            assert word.split("=")[0] in options | {"--help", "--debug"}, f"{' '.join(words)}: no option {word}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_commands_are_understood(path: Path) -> None:
    for block in blocks(path, "bash"):
        for words in commands(block):
            if words[0] == "motion":
                start = words
            elif words[0] in ("torchrun", "accelerate"):
                start = words[words.index("cli.py") :]
            else:
                assert words[0] in ("make", ".venv/bin/python", "git", "pip"), f"{path}: {words[0]}"
                continue
            try:
                parse(start)
            except Exception as error:
                raise AssertionError(f"{path}: {' '.join(words)}: {error}") from error
    for line in IN_LINE.findall(re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)):
        known(line.split())


def test_examples_in_the_help_are_understood() -> None:
    for line in [line for lines in EXAMPLES.values() for line in lines]:
        words = shlex.split(line)
        parse(words[words.index("cli.py") :] if words[0] == "torchrun" else words)


def test_the_parser_sees_a_wrong_command() -> None:
    for wrong in ("motion generaet", "motion train", "motion convert a.bvh b.npz --retraget", "motion data prepare x"):
        with pytest.raises(Exception, match=r"generaet|recipe|retraget|source"):
            parse(wrong.split())
    for wrong in ("motion generaet", "motion data prepair", "motion convert --retraget"):
        with pytest.raises(AssertionError):
            known(wrong.split())


@functools.cache
def classes() -> set[str]:
    found = set()
    for path in (ROOT / "motion_platform").rglob("*.py"):
        found |= {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)}
    return found


@pytest.mark.parametrize("path", [*(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md"], ids=lambda p: p.name)
def test_files_and_classes_in_documents_exist(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    defined = classes()
    for word in re.findall(r"`([^`\n]+)`", text):
        if re.fullmatch(r"[\w./-]+\.(py|yaml|toml)|(motion_platform|tests|benchmarks)/[\w./-]*", word):
            own = path.name.startswith("add-") or path.name == "bring-your-own-motion.md"
            if own and "/" not in word:
                continue  # files of the reader's own
            if (
                any(name in word for name in ("hashed_words", "caption_table", "path_length"))
                or word.startswith("motion_platform/_cards")
                or word in IN_A_CHECKPOINT
            ):
                continue
            assert any((ROOT / place / word).exists() for place in PLACES) or list(
                ROOT.glob(f"motion_platform/*/{word}")
            ), f"{path.name}: there is no {word}"
        elif re.fullmatch(r"[A-Z][a-z]+[A-Z]\w+|[A-Z][a-z]{3,}", word) and path.name == "architecture.md":
            assert word in defined, f"{path.name}: there is no class {word}"


def test_architecture_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    for place in (ROOT / "motion_platform").iterdir():
        if place.name.startswith("_") or place.name in ("sample", "weights"):
            continue
        name = place.name if place.suffix == ".py" else f"{place.name}/"
        if place.suffix == ".py" or (place / "__init__.py").exists():
            assert f"`{name}`" in text, f"docs/architecture.md says nothing of {name}"


@pytest.fixture
def encoder_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's file and package as a reader would have them installed."""
    page = ROOT / "docs" / "add-an-encoder.md"
    (code,), (project,) = blocks(page, "python"), blocks(page, "toml")
    (tmp_path / "hashed_words.py").write_text(code + "\n")
    group, entry = re.search(r'entry-points\."([\w.]+)"\]\n(.+)', project).groups()
    info = tmp_path / "motion_hashed_words-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: motion-hashed-words\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry.replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield tmp_path
    sys.modules.pop("hashed_words", None)


def test_the_encoder_of_the_page_works_as_a_plug_in(encoder_page: Path, sample_folder: Path) -> None:
    assert registry.table("encoders")["hashed_words"] == ("hashed_words:HashedWords", "motion-hashed-words")
    encoder = registry.build("encoders", "hashed_words", {"dim": 8, "max_words": 3})
    made = encoder(["a person walks", "run", "one two three four"])
    assert made.tokens.shape == (3, 3, 8)
    assert made.mask.tolist() == [[True] * 3, [True, False, False], [True] * 3]
    assert (made.tokens[1, 1:] == 0).all()
    assert (encoder(["run"]).tokens[0, 0] == made.tokens[1, 0]).all()
    assert encoder.fingerprint() != registry.build("encoders", "hashed_words", {"dim": 9}).fingerprint()
    with pytest.raises(config.ConfigError, match="must be at least 1"):
        registry.build("encoders", "hashed_words", {"dim": 0})

    words = [words for block in blocks(ROOT / "docs" / "add-an-encoder.md", "bash") for words in commands(block)]
    overrides = [word for word in words[0] if "=" in word and not word.startswith("output")]
    recipe, name = build.load_recipe(words[0][2], [*overrides, f"data.folder={sample_folder}"])
    run = build.assemble(recipe, name=name)
    assert run.model.conditioning.encoders["text_high"].dim == 32
    batch = run.dataset.collate([0, 1, 2], run.model.spec, run.model.card.slots, max_frames=64)
    losses = run.model(batch)
    losses["loss"].backward()
    assert losses["loss"].isfinite()


def test_the_encoder_of_the_page_works_in_the_repository(encoder_page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = blocks(ROOT / "docs" / "add-an-encoder.md", "text")
    entry = ast.literal_eval("{" + line + "}")
    assert entry == {"hashed_words": "motion_platform.encoders.hashed_words:HashedWords"}
    import hashed_words

    for info in encoder_page.glob("*.dist-info/*"):  # not installed: the line alone
        info.unlink()
    importlib.invalidate_caches()
    monkeypatch.setitem(sys.modules, "motion_platform.encoders.hashed_words", hashed_words)
    monkeypatch.setitem(catalog.CATALOG["encoders"], "hashed_words", entry["hashed_words"])
    assert registry.build("encoders", "hashed_words").dim == 64


def test_the_task_of_the_page_is_a_task_and_its_recipe_fits(tmp_path: Path, sample_folder: Path) -> None:
    card, recipe = blocks(ROOT / "docs" / "add-a-task.md", "yaml")
    path = tmp_path / "caption_to_motion.yaml"
    path.write_text(card + "\n")
    task = tasks.read(path)
    for metric in task.metrics:
        registry.build("metrics", metric.name, metric.settings)
    (tmp_path / "recipe.yaml").write_text(recipe + "\n")
    found, name = build.load_recipe(str(tmp_path / "recipe.yaml"), [f"task={path}", f"data.folder={sample_folder}"])
    run = build.assemble(found, name=name)
    assert run.task.task == "caption_to_motion"
    assert set(run.model.card.slots) == set(task.reads)


def test_the_captions_files_of_the_page_are_read(sample_root: Path, tmp_path: Path) -> None:
    import json
    import shutil

    from motion_platform.data.report import Report
    from motion_platform.data.sources.bvh_folder import BVHFolder

    page = ROOT / "docs" / "bring-your-own-motion.md"
    clip = next((sample_root / "cmu").glob("*.bvh"))
    for name in ("walk_01.bvh", "session_2.bvh"):
        shutil.copy(clip, tmp_path / name)
    (tmp_path / "captions.csv").write_text(blocks(page, "csv")[0] + "\n")
    items = BVHFolder().items(tmp_path, Report("mine"))
    assert [(item.start, item.end, len(item.words.high)) for item in items] == [
        (40, 120, 1),
        (120, 200, 1),
        (0, None, 2),
    ]
    (tmp_path / "captions.csv").unlink()
    (tmp_path / "captions.json").write_text(json.dumps(json.loads(blocks(page, "json")[0])))
    (item,) = BVHFolder().items(tmp_path, Report("mine"))
    assert (item.split, item.start, item.end, item.words.labels) == ("train", 0, 120, {"style": "tired"})


def test_the_joint_names_of_the_page_are_of_the_right_form() -> None:
    import yaml

    from motion_platform.motion import joint_names

    (table,) = blocks(ROOT / "docs" / "bring-your-own-motion.md", "yaml")
    assert set(joint_names._read(yaml.safe_load(table))) == {"pelvis", "left_knee", "spine2", "left_foot"}


def test_the_python_of_the_motion_files_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "motion_platform").symlink_to(ROOT / "motion_platform")
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(ROOT / "docs" / "motion-files.md", "python")
    exec(compile(code, "motion-files.md", "exec"), {})
    assert (tmp_path / "pair.html").stat().st_size > 0


def test_the_metrics_page_names_every_metric() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    for name in registry.names("metrics"):
        assert f"`{name}`" in text, f"docs/metrics.md says nothing of {name}"
