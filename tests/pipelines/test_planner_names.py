import pytest

from motion_platform.core.errors import ConfigError, UnknownName, UsageError
from motion_platform.pipelines.planner_names import check_planner, planner_of


def test_a_name_with_settings(tmp_path):
    (tmp_path / "table.csv").write_text("caption,low\na person walks,walk\nhe bows,bow\n")
    planner = planner_of(f"kate:k=1,answer=nearest,table={tmp_path}/table.csv", "--plan")
    assert (planner.k, planner.answer) == (1, "nearest")
    assert planner.plan(["somebody bows"])[0].low_text() == "bow"
    assert planner_of("rules", "--plan").name == "rules"


def test_what_is_wrong_is_one_line():
    with pytest.raises(UnknownName, match="--plan: unknown planner 'rule'; did you mean 'rules'"):
        check_planner("rule:k=1", "--plan")
    with pytest.raises(UsageError, match="'none' takes no settings"):
        check_planner("none:k=1", "--plan", also=("none",))
    with pytest.raises(ConfigError, match="no setting 'q'"):
        planner_of("kate:q=1", "--plan")
    with pytest.raises(ConfigError):
        planner_of("kate:k", "--plan")
    check_planner("none", "--plan", also=("none",))
