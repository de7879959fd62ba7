from pathlib import Path

import pytest

from motion_platform.core.errors import ConfigError, DataError
from motion_platform.motion.joint_names import conventions, locate, simple
from motion_platform.motion.skeleton import get_skeleton

TARGETS = get_skeleton("humanml3d").joints


def names_of(convention: str) -> list[str]:
    """Every source joint that a convention speaks of (the first of alternatives)."""
    found = []
    for rule in conventions()[convention].values():
        found += rule["between"] if isinstance(rule, dict) else [rule if isinstance(rule, str) else rule[0]]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("convention", conventions())
def test_every_convention_is_whole_and_recognised_by_its_own_joints(convention: str) -> None:
    table = conventions()[convention]
    assert tuple(sorted(table)) == tuple(sorted(TARGETS))
    found, places = locate(names_of(convention), None, "x")
    assert found == convention
    assert set(places) == set(TARGETS)


@pytest.mark.parametrize("convention", conventions())
def test_left_and_right_are_twins_in_every_convention(convention: str) -> None:
    def side(name: str) -> str:
        low = name.lower()
        for left, right in (("left", "right"), ("_l", "_r")):
            if left in low or right in low:
                return "left" if left in low else "right"
        return {"l": "left", "r": "right"}[low[0]]

    for target, rule in conventions()[convention].items():
        if not target.startswith(("left", "right")):
            continue
        last = rule["between"][-1] if isinstance(rule, dict) else rule if isinstance(rule, str) else rule[0]
        assert side(last) == target.split("_")[0], (target, rule)


def test_prefix_case_and_blanks_do_not_matter() -> None:
    assert simple("mixamorig:Left_Up Leg") == "leftupleg"
    found, places = locate([f"mixamorig:{n.upper()}" for n in names_of("mixamo")], None, "x")
    assert found == "mixamo"
    assert places["left_knee"] == ("mixamorig:LEFTLEG", "mixamorig:LEFTLEG", 0.0)


def test_a_missing_joint_is_named_with_the_nearest() -> None:
    sources = [n if n != "LeftLeg" else "LeftLegg" for n in names_of("mixamo")]
    with pytest.raises(
        DataError, match=r"motion 'x': 1 of the 22 joints not found, first 'left_knee'.*mixamo.*'LeftLegg'"
    ):
        locate(sources, None, "motion 'x'")


def test_a_person_may_add_names(tmp_path: Path) -> None:
    sources = [n if n != "LeftLeg" else "Knie.L" for n in names_of("mixamo")]
    assert locate(sources, {"left_knee": "Knie_L"}, "x")[1]["left_knee"][0] == "Knie.L"
    own = tmp_path / "own.yaml"
    own.write_text("left_knee: {between: [Knie.L, LeftFoot], at: 0.25}\n")
    assert locate(sources, own, "x")[1]["left_knee"] == ("Knie.L", "LeftFoot", 0.25)
    whole = "mine:\n" + "".join(f"  {target}: j{i}\n" for i, target in enumerate(TARGETS))
    own.write_text(whole)
    assert locate([f"J{i}" for i in range(22)], own, "x")[0] == "mine"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"left_kne": "x"}, "did you mean 'left_knee'"),
        ({"mine": {"left_kne": "x"}}, "did you mean 'left_knee'"),
        ({"left_knee": 5}, "give a joint name"),
        ({"left_knee": {"between": ["a"], "at": 0.5}}, "give a joint name"),
        ({"left_knee": {"between": ["a", "b"], "at": "half"}}, "give a joint name"),
        ("none.yaml", "cannot be read as YAML: No such file"),
    ],
)
def test_tables_of_another_form_are_refused(names: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        locate(names_of("mixamo"), names, "x")  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[left_knee]", "a table of joint names maps target joints to source joints"),
        ("3: Knee", "a table of joint names maps target joints to source joints"),
        ("left_knee: 3", "left_knee: give a joint name"),
        ("left_knee: []", "left_knee: give a joint name"),
        ("left_knee: [a, 3]", "left_knee: give a joint name"),
        ("left_knee: {between: [a], at: 0.5}", "left_knee: give a joint name"),
        ("left_knee: {between: [a, b, c], at: 0.5}", "left_knee: give a joint name"),
        ("left_knee: {between: [a, 3], at: 0.5}", "left_knee: give a joint name"),
        ("left_knee: {between: [a, b], at: x}", "left_knee: give a joint name"),
        ("left_knee: {between: [a, b], at: 5.1}", "left_knee: give a joint name"),
        ("left_knee: {between: [a, b], at: -5.1}", "left_knee: give a joint name"),
        ("left_knee: {between: [a, b]}", "left_knee: give a joint name"),
        ("left_kne: Knee", "unknown target joint 'left_kne'; did you mean 'left_knee'"),
        ("mine: {left_kne: Knee}", "mine: unknown target joint 'left_kne'; did you mean 'left_knee'"),
        ("mine: {left_knee: 3}", "mine: left_knee: give a joint name"),
    ],
)
def test_a_wrong_table_of_names_is_one_line(tmp_path: Path, table: str, said: str) -> None:
    (tmp_path / "names.yaml").write_text(table)
    with pytest.raises(ConfigError, match=said) as caught:
        locate(names_of("mixamo"), tmp_path / "names.yaml", "x")
    assert "names.yaml" in str(caught.value)


@pytest.mark.parametrize("at", [-5, 0, 0.25, 5])
def test_a_joint_may_lie_between_two_up_to_five_times_beyond(at: float) -> None:
    found = locate(names_of("mixamo"), {"left_knee": {"between": ["LeftUpLeg", "LeftFoot"], "at": at}}, "x")[1]
    assert found["left_knee"] == ("LeftUpLeg", "LeftFoot", float(at))


def test_of_several_names_the_first_that_is_there_counts() -> None:
    names = names_of("mixamo")
    assert locate(names, {"left_knee": ["nothing", "LeftFoot", "LeftLeg"]}, "x")[1]["left_knee"][0] == "LeftFoot"
    with pytest.raises(DataError, match="first 'left_knee'"):
        locate([n for n in names if n != "LeftLeg"], {"left_knee": ["nothing"]}, "x")
    with pytest.raises(DataError, match="first 'left_knee'"):
        locate([n for n in names if n != "LeftLeg"], {"left_knee": {"between": ["nothing", "LeftFoot"], "at": 1}}, "x")
