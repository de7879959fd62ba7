from __future__ import annotations

import re
from pathlib import Path

import pytest

from motion_platform.core import cards, config, tasks
from motion_platform.core.errors import ConfigError, UnknownName, UsageError

ROOT = Path(__file__).resolve().parents[2]


def test_cards_are_found_by_name_and_by_path(tmp_path: Path) -> None:
    assert cards.find("tasks", "text_to_motion") == ROOT / "tasks" / "text_to_motion.yaml"
    assert cards.find("configs", "smoke/recogniser") == ROOT / "configs" / "smoke" / "recogniser.yaml"
    own = tmp_path / "mine.yaml"
    own.write_text("x: 1")
    assert cards.find("configs", str(own)) == own


def test_the_path_of_the_repository_works_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = cards.find("configs", "configs/smoke/recogniser.yaml")
    assert found == ROOT / "configs" / "smoke" / "recogniser.yaml"


def test_unknown_cards_name_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'text_to_motion'"):
        cards.find("tasks", "text_to_motoin")
    with pytest.raises(UsageError, match=r"nowhere\.yaml: there is no such file"):
        cards.find("configs", "nowhere.yaml")
    with pytest.raises(UnknownName, match="kind of card"):
        cards.folder("secrets")


@pytest.mark.parametrize("name", ["../pyproject", "/etc/passwd", "..", ""])
def test_a_name_cannot_leave_the_folder(name: str) -> None:
    with pytest.raises(UsageError):
        cards.find("tasks", name)


@pytest.mark.parametrize("name", cards.names("tasks"))
def test_every_task_card_is_valid(name: str) -> None:
    task = tasks.load(name)
    assert task.title
    assert task.source
    assert task.reads or name == "random_motion"


def test_a_task_card_that_lies_about_its_name_or_slots_is_refused(tmp_path: Path) -> None:
    text = cards.find("tasks", "text_to_motion").read_text()
    wrong = tmp_path / "other.yaml"
    wrong.write_text(text)
    with pytest.raises(ConfigError, match="named like its file"):
        tasks.read(wrong)
    card = tmp_path / "text_to_motion.yaml"
    card.write_text(text.replace("optional: [text_low]", "optional: [text_lo]"))
    with pytest.raises(ConfigError, match="did you mean 'text_low'"):
        tasks.read(card)
    card.write_text(text.replace("data: bandai_cmu", "data: bandai_cnu"))
    with pytest.raises(UnknownName, match="did you mean 'bandai_cmu'"):
        tasks.read(card)
    card.write_text(text.replace("name: instructed", "name: instructions"))
    with pytest.raises(UnknownName, match="did you mean 'instructed'"):
        tasks.read(card)


def test_the_low_level_text_is_optional() -> None:
    assert tasks.load("text_to_motion").required() == ["text_high"]


def test_a_listing_says_what_a_card_is() -> None:
    assert "sentence" in cards.summary(cards.find("tasks", "text_to_motion"))


def test_a_list_says_what_a_card_is_about(tmp_path: Path) -> None:
    assert cards.summary(cards.find("configs", "smoke/recogniser")) == "recogniser for motion_recognition, on sample"
    assert cards.summary(cards.find("benchmarks", "dual_text")) == "High-level text, low-level text, or both"
    own = tmp_path / "own.yaml"
    half = [("model: {name: mdm}", ""), ("data: {name: sample}\nmodel: mdm", ""), ("model: {name: mdm}\ndata: x", "")]
    for text, said in (("just words", ""), ("a: [", "(cannot be read)"), ("title: 'Mine'", "Mine"), *half):
        own.write_text(text)
        assert cards.summary(own) == said


def test_a_card_is_found_by_its_name_again_or_has_none(tmp_path: Path) -> None:
    for name in ("smoke/recogniser", "recogniser"):
        assert cards.name_of("configs", cards.find("configs", name)) == name
    assert cards.name_of("tasks", tmp_path / "text_to_motion.yaml") is None


def test_the_slots_of_texts_come_with_what_must_be_filled_first() -> None:
    values = {"task": "t", "title": "t", "source": "t", "writes": "motion", "data": "sample"}
    reads = {"detail": "text", "beat": "audio", "caption": "text"}
    assert tasks.check({**values, "reads": reads, "optional": ["detail"]}, "t").texts() == ["caption", "detail"]
    assert tasks.check({**values, "reads": reads}, "t").texts() == ["detail", "caption"]
    assert tasks.load("text_to_motion").texts() == ["text_high", "text_low"]


def test_what_a_task_keeps_is_allowed_up_to_its_borders() -> None:
    assert tasks.Keep(how="key_poses", poses=[1, 1]).poses == [1, 1]
    assert tasks.Keep(how="in_between", part=0.499).part == 0.499
    assert tasks.Keep(how="prefix", part=0.6).part == 0.6
    assert tasks.Keep(how="prefix", part=0.001).part == 0.001
    assert tasks.Keep(how="last_pose", pose_frames=1).pose_frames == 1
    plain = tasks.Keep(how="prefix")
    assert (plain.part, plain.poses, plain.pose_frames) == (0.2, [3, 5], 4)
    for poses in ([0, 1], [2, 1], [1], [1, 2, 3]):
        with pytest.raises(ValueError, match="poses"):
            tasks.Keep(how="key_poses", poses=poses)
    for wrong in ({"part": 0}, {"part": 1}, {"pose_frames": 0}):
        with pytest.raises(ValueError, match=r"part|pose_frames"):
            tasks.Keep(how="key_poses", **wrong)
    with pytest.raises(ValueError, match=r"part 0\.5 at both ends leaves nothing"):
        tasks.Keep(how="in_between", part=0.5)


@pytest.mark.parametrize(
    ("keep", "says"),
    [
        ({"how": "prefix", "parts": 0.2}, "keep.parts: unknown key 'parts'; did you mean 'part'?"),
        ({"how": "prefx"}, "keep.how: got 'prefx'; did you mean 'prefix'?"),
        ({}, "keep.how: is missing"),
        ({"how": "prefix", "part": "x" * 80}, f"keep.part: got '{'x' * 76}...; input should be"),
        ({"how": "prefix", "part": "x" * 78}, f"keep.part: got '{'x' * 78}'; input should be"),
    ],
)
def test_a_mistake_in_a_table_that_may_be_left_out_is_named_too(keep: dict, says: str) -> None:
    card = {"task": "a", "title": "b", "source": "c", "reads": {"text": "text"}, "writes": "motion", "data": "sample"}
    with pytest.raises(ConfigError, match=re.escape(says)):
        config.check(tasks.Task, card | {"keep": keep}, "a.yaml")


CARD = {"task": "a", "title": "b", "source": "c", "writes": "motion", "data": "sample"}


def test_a_slot_may_say_its_column_and_its_option() -> None:
    reads = {"low_text": "text", "speech": {"kind": "audio", "column": "wav", "option": "--said"}, "old": "motion"}
    written = {**CARD, "reads": reads, "columns": {"old": "before"}, "options": {"old": "--was"}, "optional": ["old"]}
    task = tasks.check(written, "a.yaml")
    assert task.reads == {"low_text": "text", "speech": "audio", "old": "motion"}
    assert (task.columns, task.options) == ({"old": "before", "speech": "wav"}, {"old": "--was", "speech": "--said"})
    assert [task.option(slot) for slot in task.reads] == ["--low-text", "--said", "--was"]
    assert task.required() == ["low_text", "speech"]
    assert written["columns"] == {"old": "before"}  # what was handed over stays as it was
    assert tasks.check(task.model_dump(), "a.yaml") == task


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"reads": {"speech": {"kind": "audio", "columns": "wav"}}}, r"^a\.yaml: slot speech: got columns; a slot is"),
        ({"reads": {"speech": {"column": "wav"}}}, "slot speech: got no kind; a slot is a kind, or {kind, column"),
        ({"reads": ["text"]}, r"a\.yaml: reads: got \['text'\]; a table of key: value is needed here"),
        ({"reads": {"text": "txt"}}, r"a\.yaml: reads\.text: got 'txt'; did you mean 'text'\?"),
        ({"reads": {"text": "text"}, "keep": {"how": "prefix"}}, "keep: is for a task that reads a motion and writes"),
        ({"reads": {"old": "motion"}, "keep": {"how": "prefix"}, "writes": "captions"}, "keep: is for a task that"),
    ],
)
def test_slots_that_are_none_are_one_line(values: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        tasks.check({**CARD, **values}, "a.yaml")
    assert "\n" not in str(caught.value)


def test_a_task_may_keep_a_part_of_the_motion_that_it_reads() -> None:
    task = tasks.check({**CARD, "reads": {"old": "motion"}, "keep": {"how": "prefix"}}, "a.yaml")
    assert task.keep == tasks.Keep(how="prefix")


def test_cards_of_both_endings_are_found_and_an_unknown_one_names_those_there_are(tmp_path: Path) -> None:
    own = tmp_path / "mine.yml"
    with pytest.raises(
        UsageError, match=r"mine\.yml: there is no such file; tasks that can be named: .*text_to_motion"
    ):
        cards.find("tasks", str(own))
    own.write_text("x: 1")
    assert cards.find("tasks", str(own)) == own
    (tmp_path / "mine.txt").write_text("x: 1")
    with pytest.raises(UnknownName, match=r"unknown task '.*mine\.txt'"):
        cards.find("tasks", str(tmp_path / "mine.txt"))  # YAML and nothing else
    for said in ("./smoke/recogniser.yaml", "./configs/smoke/recogniser.yml"):
        assert cards.find("configs", said) == ROOT / "configs" / "smoke" / "recogniser.yaml"
    for kind, one in (("configs", "recipe"), ("benchmarks", "benchmark"), ("suites", "suite")):
        with pytest.raises(UnknownName, match=f"^unknown {one} 'nothing'"):
            cards.find(kind, "nothing")


def test_cards_in_folders_of_their_own_are_no_recipes() -> None:
    recipes = cards.names("configs")
    assert recipes == sorted(recipes)
    assert "smoke/recogniser" in recipes
    for kind in ("benchmarks", "suites"):
        assert cards.names(kind)
        assert cards.folder(kind) == ROOT / "configs" / kind
        assert not [name for name in recipes if name.startswith(f"{kind}/")]


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("reads: {text: text, low: {kind: text}, music: audio}\nwrites: motion\n", "text, audio -> motion"),
        ("reads: {}\nwrites: motion\n", "nothing -> motion"),
        ("reads: [text]\nwrites: motion\n", ""),
        ("reads: {text: text}\nwrites: [motion]\n", ""),
        ("title: a recipe\n", ""),
        ("[", ""),
    ],
)
def test_a_listing_says_what_a_task_reads_and_writes(card: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text(card)
    assert cards.inputs(tmp_path / "card.yaml") == said


def test_the_task_of_a_model_is_the_card_that_it_carries_else_the_one_of_that_name() -> None:
    known = tasks.load("text_to_motion")
    carried = known.model_dump() | {"title": "carried"}
    model = config.ModelRecipe(name="mdm")
    common = {"format": 1, "name": "x", "motion_platform": "0", "model": model, "slots": {}}
    spec = {"representation": "humanml3d", "skeleton": "humanml3d", "fps": 20.0, "units": "m", "dim": 263}
    card = config.ModelFile(**common, spec=spec, task="text_to_motion")
    assert tasks.of_model(card, "x") == known
    assert tasks.of_model(card.model_copy(update={"task_card": carried}), "x").title == "carried"
    with pytest.raises(ConfigError, match="x: task_card"):
        tasks.of_model(card.model_copy(update={"task_card": {"task": "t"}}), "x")


@pytest.mark.parametrize("beside", [(), ("tasks",), ("pyproject.toml",)])
def test_an_installed_package_has_its_cards_in_itself_whatever_lies_beside_it(
    beside: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "motion_platform"
    for inner in ("core", "_cards/tasks", "_cards/configs/suites"):
        (package / inner).mkdir(parents=True)
    (package / "_cards" / "tasks" / "mine.yaml").write_text("title: Mine")
    for name in beside:
        place = package.parent / name
        place.write_text("") if name == "pyproject.toml" else place.mkdir()
    monkeypatch.setattr(cards, "__file__", str(package / "core" / "cards.py"))
    assert cards.folder("tasks") == package / "_cards" / "tasks"
    assert cards.folder("suites") == package / "_cards" / "configs" / "suites"
    assert cards.names("tasks") == ["mine"]
    assert cards.summary(cards.find("tasks", "mine")) == "Mine"
