from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from motion_platform.core import cards, config, tasks
from motion_platform.core.errors import ConfigError, UnknownName, UsageError

SMOKE = cards.find("configs", "smoke/text_to_motion")


def test_numbers_are_numbers_and_overrides_work() -> None:
    recipe = config.load_recipe(SMOKE, ["train.learning_rate=1e-4", "model.settings.layers=3", "output=x"])
    assert recipe.train.learning_rate == 1e-4
    assert recipe.model.settings["layers"] == 3
    assert recipe.output == "x"
    assert recipe.train.steps == config.load_recipe(SMOKE).train.steps


def test_a_recipe_that_says_no_more_than_it_must_begins_at_seed_zero_from_nothing(tmp_path: Path) -> None:
    written = yaml.safe_load(SMOKE.read_text())
    short = {key: written[key] for key in ("task", "representation", "data", "model", "train")}
    (tmp_path / "short.yaml").write_text(yaml.safe_dump(short))
    recipe = config.load_recipe(tmp_path / "short.yaml")
    assert (recipe.seed, recipe.initial, recipe.output, recipe.slots) == (0, None, None, {})


def test_a_bare_no_is_a_precision() -> None:
    assert config.load_recipe(SMOKE, ["train.precision=no"]).train.precision == "no"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.stepz=3", ["train.stepz", "'stepz'", "did you mean 'steps'?"]),
        ("slots.text_high.dropouts=1", ["slots.text_high.dropouts", "did you mean 'dropout'?"]),
        ("validation.metrics=[{name: jerk, spaces: x}]", ["validation.metrics.0.spaces", "did you mean 'space'?"]),
        ("train.steps=abc", ["train.steps", "got 'abc'", "integer"]),
        ("train.steps=2.5", ["train.steps", "got 2.5", "integer"]),
        ("train.steps=true", ["train.steps", "got True", "integer"]),
        ("train.steps=0", ["train.steps", "got 0", "greater than or equal to 1"]),
        ("train.steps=null", ["train: steps or epochs: write one of the two"]),
        ("train=3", ["train", "got 3", "a table"]),
        ("train.batch_size={a: 1}", ["train.batch_size", "got {'a': 1}", "integer"]),
        ("slots.text_low=null", ["slots.text_low", "got None", "a table"]),
        ("train.precision=bf32", ["train.precision", "'bf32'", "did you mean 'bf16'?", "allowed: bf16, fp16, no"]),
        ("train.betas=[0.9]", ["train.betas", "2 items"]),
        ("model.name=mdn", ["model.name", "'mdn'", "did you mean 'mdm'?"]),
        ("slots.text_high.encoder=sentense", ["slots.text_high.encoder", "did you mean 'sentence'?"]),
        ("representation=humanml", ["representation", "'humanml'", "humanml3d"]),
        ("data.name=samples", ["data.name", "did you mean 'sample'?"]),
        ("validation.metrics=[{name: foot_skate}]", ["validation.metrics.0.name", "did you mean 'foot_skating'?"]),
        ("output=${oc.env:HOME}", ["output", "interpolation"]),
        ("output=${oc.decode:'1'}", ["output", "interpolation"]),
        ("model.settings={'${oc.env:HOME}': 1}", ["model.settings", "interpolation"]),
        ("validation.metrics=[{name: jerk}, {name: '${a}'}]", ["validation.metrics.1.name", "interpolation"]),
        ("output=!!python/object/apply:os.getcwd []", ["tag"]),
        ("nonsense", ["'nonsense'", "key=value"]),
        ("=3", ["key=value"]),
        ("a.b=[1", ["not a readable"]),
    ],
)
def test_a_mistake_is_one_line_with_file_key_value_and_what_is_allowed(override: str, said: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        config.load_recipe(SMOKE, [override])
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 2
    for part in said:
        assert part in message
    if "key=value" not in said[-1]:
        assert str(SMOKE) in message


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    values = yaml.safe_load(SMOKE.read_text())
    del values["data"]["name"]
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError, match=r"data\.name: is missing"):
        config.load_recipe(path)


def test_a_run_is_as_long_as_its_steps_or_its_epochs(tmp_path: Path) -> None:
    plan = config.load_recipe(SMOKE, ["train.epochs=2.5", "train.batch_size=8"]).train
    assert (plan.steps, plan.epochs) == (None, 2.5)
    assert [plan.in_steps(clips).steps for clips in (1, 16, 17, 23384)] == [1, 5, 6, 7308]
    assert plan.in_steps(16).epochs is None
    assert plan.in_steps(16).in_steps(99).steps == 5
    assert config.load_recipe(SMOKE, ["train.epochs=2", "train.steps=7"]).train.steps == 7
    values = config.read_yaml(SMOKE)
    values["train"]["epochs"] = 3
    with pytest.raises(ConfigError, match=r"^here: train: steps or epochs: write one of the two$"):
        config.check(config.Recipe, values, "here")
    with pytest.raises(ConfigError, match=r"train\.epochs: got 0"):
        config.load_recipe(SMOKE, ["train.epochs=0"])


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "a: [", "\x00", "a: 1\na: 2\n", "? [x]: 1\n: : :"])
def test_what_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"recipe\.yaml"):
        config.load_recipe(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load_recipe(path)


@settings(deadline=None)  # a loaded machine is no error
@given(st.recursive(st.none() | st.integers() | st.text(max_size=8) | st.booleans(), st.lists, max_leaves=4))
def test_no_value_of_any_key_gets_past_the_schema_or_crashes(value: object) -> None:
    values = config.read_yaml(SMOKE)
    for key in values:
        try:
            config.check(config.Recipe, {**values, key: value}, "here")
        except ConfigError as error:
            assert str(error).startswith(f"here: {key}")  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017


def test_a_recipe_survives_being_written_and_read(tmp_path: Path) -> None:
    recipe = config.load_recipe(SMOKE)
    path = tmp_path / "recipe.yaml"
    path.write_text(config.to_yaml(recipe))
    assert config.load_recipe(path) == recipe


def test_settings_of_a_data_set_are_read_like_overrides() -> None:
    assert config.settings_from(["a=1", "b.c=1e-3", "d=x y"]) == {"a": 1, "b": {"c": 1e-3}, "d": "x y"}
    with pytest.raises(ConfigError, match="key=value"):
        config.settings_from(["a"])
    assert config.settings_from([]) == {}
    assert config.settings_from(["a=${oc.env:HOME}"]) == {"a": "${oc.env:HOME}"}, "the environment is nobody's setting"


def test_a_recipe_holds_no_control_characters_not_even_by_an_escape(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text('task: "walk\\x07"')
    with pytest.raises(ConfigError, match=r"a\.yaml: 'walk.x07' holds '.x07', which no text does"):
        config.read_yaml(tmp_path / "a.yaml")


def test_what_is_written_is_read_by_people() -> None:
    assert config.to_yaml({"b": "Größe 大", "a": [1]}) == "b: Größe 大\na:\n- 1\n"


@pytest.mark.parametrize("name", cards.names("configs"))
def test_every_recipe_is_valid_and_opens_with_its_command_and_its_number(name: str) -> None:
    path = cards.find("configs", name)
    first, second = path.read_text(encoding="utf-8").splitlines()[:2]
    assert first == f"# motion train {name}"
    assert second.startswith("# expected: ")
    config.load_recipe(path)


def test_unknown_names_list_what_is_there() -> None:
    with pytest.raises(UnknownName) as caught:
        config.load_recipe(SMOKE, ["model.kind=spaces", "model.name=x"])
    assert "recogniser" in str(caught.value)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(
        "model: {name: mdm, settings: {layers: 2, width: 64}}\n"
        "slots:\n  text_high: {encoder: sentence, settings: {output: tokens}, dropout: 0.1}\n"
        "train: {steps: 10}\n"
    )
    return path


def test_an_override_can_delete_and_replace(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "dropout" not in config.read_yaml(small, ["~slots.text_high.dropout"])["slots"]["text_high"]
    assert "slots" not in config.read_yaml(small, ["~slots"])
    assert config.read_yaml(small, ["a=1", "b=2", "~a"]).keys() ^ config.read_yaml(small).keys() == {"b"}
    assert config.read_yaml(small, ["model.settings={}"])["model"]["settings"] == {}
    assert config.read_yaml(small, ["model.settings={heads: 2}"])["model"]["settings"] == {"heads": 2}
    assert config.read_yaml(small, ["model.new.table={a: {b: 1}}"])["model"]["new"] == {"table": {"a": {"b": 1}}}
    assert config.read_yaml(small, ["model.settings.width=32"])["model"]["settings"] == {"layers": 2, "width": 32}
    assert capsys.readouterr().err == ""
    swapped = config.read_yaml(small, ["slots.text_high.encoder=hf_text", "slots.text_high.settings.model=x"])
    assert swapped["slots"]["text_high"] == {"encoder": "hf_text", "dropout": 0.1, "settings": {"model": "x"}}
    assert "the settings of sentence are dropped" in capsys.readouterr().err
    assert config.read_yaml(small, ["model.name=mdm"])["model"]["settings"] == {"layers": 2, "width": 64}
    # another name of something else, or something else of the model, leaves the settings alone
    small.write_text("model: {name: mdm, seed: 1, settings: {layers: 2}}\ndata: {name: a, settings: {layers: 3}}\n")
    other = config.read_yaml(small, ["model.seed=2", "data.name=b"])
    assert other == {
        "model": {"name": "mdm", "seed": 2, "settings": {"layers": 2}},
        "data": {"name": "b", "settings": {"layers": 3}},
    }


def test_a_key_to_delete_that_is_not_there_is_one_line(small: Path) -> None:
    with pytest.raises(ConfigError, match=r"~train\.step: there is no such key to delete; did you mean 'steps'"):
        config.read_yaml(small, ["~train.step"])
    with pytest.raises(ConfigError, match="write it as key=value"):
        config.read_yaml(small, ["~train.steps=3"])
    for nothing in ("~", "~ ", "~ =", " =1"):
        with pytest.raises(ConfigError, match="write it as key=value"):
            config.read_yaml(small, [nothing])
    with pytest.raises(ConfigError, match=r"~train\.steps\.x: there is no such key to delete; allowed: \(none\)"):
        config.read_yaml(small, ["~train.steps.x"])


def test_what_a_recipe_leaves_out_is_what_it_was() -> None:
    """A default that changes changes the numbers of every recipe that leaves it out."""
    data = {"split": "train", "min_frames": 8, "max_frames": 196, "mirror": True, "balance": 0.0, "by_length": False}
    data |= {
        "captions_per_clip": None,
        "written_beats": False,
        "wordings": 0.0,
        "sentences": 0.0,
        "name": "x",
        "folder": None,
    }
    data["buffer"] = 4096
    assert config.DataRecipe(name="x").model_dump() == data
    train = {"batch_size": 64, "gradient_accumulation": 1, "learning_rate": 1e-4, "warmup_steps": 0}
    train |= {"schedule": "cosine", "weight_decay": 0.01, "betas": [0.9, 0.999], "gradient_clip": 1.0}
    train |= {"ema_decay": 0.999, "precision": "no", "log_every": 50, "save_every": 1000, "prefetch": 4}
    left_out = config.TrainRecipe(steps=1).model_dump()
    assert {key: left_out[key] for key in train} == train
    keep = tasks.Keep(how="key_poses")
    assert (keep.part, keep.poses, keep.pose_frames) == (0.2, [3, 5], 4)
    protocol = {"split": "test", "repeats": 1, "several_repeats": 5, "samples": None, "max_frames": 196}
    assert tasks.Protocol().model_dump() == protocol | {"lengths": "true"}
    slot = config.SlotRecipe(encoder="x")
    assert (slot.dropout, slot.noise) == (0.1, 0.0)
    validation = config.ValidationRecipe()
    assert (validation.every, validation.samples) == (0, 64)


def test_what_a_checkpoint_says_of_its_motion_is_allowed_up_to_its_borders() -> None:
    spec = {"representation": "humanml3d", "skeleton": "humanml3d", "fps": 20.0, "units": "metre", "dim": 263}
    for fitting in ({"fps": 240}, {"fps": 0.1}, {"dim": 1}, {"dim": 100_000}):
        assert config.ModelFile._complete(spec | fitting) == spec | fitting
    for wrong in ({"fps": 240.5}, {"fps": 0}, {"dim": 0}, {"dim": 100_001}):
        with pytest.raises(ValueError, match="allowed: 0 to 240, 1 to 100000"):
            config.ModelFile._complete(spec | wrong)
    for key in spec:
        with pytest.raises(ValueError, match=f"{key} is missing"):
            config.ModelFile._complete({other: value for other, value in spec.items() if other != key})


@pytest.mark.parametrize(
    ("recipe", "key", "allowed", "refused"),
    [
        (config.SlotRecipe, "dropout", (0, 0.999), (-0.001, 1)),
        (config.SlotRecipe, "noise", (0, 9), (-0.001,)),
        (config.DataRecipe, "min_frames", (1,), (0,)),
        (config.DataRecipe, "max_frames", (1, 8), (0,)),
        (config.DataRecipe, "balance", (0, 2), (-0.001, 2.001)),
        (config.DataRecipe, "captions_per_clip", (1, None), (0,)),
        (config.DataRecipe, "wordings", (0, 1), (-0.001, 1.001)),
        (config.DataRecipe, "buffer", (1,), (0,)),
        (config.TrainRecipe, "steps", (1,), (0,)),
        (config.TrainRecipe, "batch_size", (1,), (0,)),
        (config.TrainRecipe, "gradient_accumulation", (1,), (0,)),
        (config.TrainRecipe, "learning_rate", (1e-12,), (0,)),
        (config.TrainRecipe, "warmup_steps", (0,), (-1,)),
        (config.TrainRecipe, "weight_decay", (0,), (-0.001,)),
        (config.TrainRecipe, "betas", ([0.5, 0.6],), ([0.5], [0.5, 0.6, 0.7])),
        (config.TrainRecipe, "gradient_clip", (0,), (-0.001,)),
        (config.TrainRecipe, "ema_decay", (0, 0.9999), (-0.001, 1)),
        (config.TrainRecipe, "log_every", (1,), (0,)),
        (config.TrainRecipe, "save_every", (1,), (0,)),
        (config.TrainRecipe, "prefetch", (0,), (-1,)),
        (config.ValidationRecipe, "every", (0,), (-1,)),
        (config.ValidationRecipe, "samples", (1,), (0,)),
        (tasks.Protocol, "repeats", (1, 1000), (0, 1001)),
        (tasks.Protocol, "several_repeats", (1, 1000), (0, 1001)),
        (tasks.Protocol, "samples", (1, None), (0,)),
        (tasks.Protocol, "max_frames", (1, None), (0,)),
    ],
)
def test_a_number_of_a_recipe_or_card_is_allowed_up_to_its_border(recipe, key, allowed, refused) -> None:
    least = {config.SlotRecipe: {"encoder": "x"}, config.DataRecipe: {"name": "x"}, config.TrainRecipe: {"steps": 1}}
    for value in allowed:
        assert getattr(recipe(**{**least.get(recipe, {}), key: value}), key) == value
    for value in refused:
        with pytest.raises(ValueError, match=key):
            recipe(**{**least.get(recipe, {}), key: value})


def test_seed_and_step_begin_at_zero() -> None:
    values = config.read_yaml(SMOKE)
    assert config.check(config.Recipe, {**values, "seed": 0}, "here").seed == 0
    with pytest.raises(ConfigError, match="here: seed: got -1; input should be greater than or equal to 0"):
        config.check(config.Recipe, {**values, "seed": -1}, "here")
    spec = {"representation": "humanml3d", "skeleton": "humanml3d", "fps": 20.0, "units": "metre", "dim": 263}
    model = {"format": 2, "name": "x", "task": "t", "motion_platform": "0", "model": {"name": "mdm"}, "slots": {}}
    assert config.check(config.ModelFile, {**model, "spec": spec}, "here").step == 0
    assert config.check(config.ModelFile, {**model, "spec": spec, "step": 0}, "here").task_card is None
    with pytest.raises(ConfigError, match="here: step: got -1"):
        config.check(config.ModelFile, {**model, "spec": spec, "step": -1}, "here")


def test_epochs_are_above_zero() -> None:
    assert config.TrainRecipe(epochs=0.001).epochs == 0.001
    with pytest.raises(ValueError, match="epochs"):
        config.TrainRecipe(epochs=0)


def test_a_recipe_that_unfolds_to_a_hundred_thousand_values_is_refused_before_it_does(tmp_path: Path) -> None:
    """ "Billion laughs": a list of aliases of lists of aliases."""
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 5)]
    (tmp_path / "a.yaml").write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=r"a\.yaml: cannot be read: line .*: unfolds to more than 100000 values"):
        config.read_yaml(tmp_path / "a.yaml")
