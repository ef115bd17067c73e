from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import Commands
from writingmate.errors import ConfigurationError, InvalidRequest

WRONG = '[plans.free]\nbyok = 1\ntires = ["basic"]\n'


def with_plans(commands: Commands, folder: Path, text: str) -> Path:
    file = folder / "plans.toml"
    file.write_text(text)
    commands.environ["WRITINGMATE_PLANS"] = str(file)
    return file


def test_the_plans_that_ship_are_listed_and_shown(bare: Commands) -> None:
    listed = bare.json("plans", "list")
    assert [plan["name"] for plan in listed][:2] == ["free", "premium"]
    assert listed[0]["daily_messages"] == {"basic": 30}
    assert listed[0]["pool_messages"] is None
    assert bare.json("plans", "show", "free") == listed[0]
    table = bare.run("plans", "list")
    assert "100 pro, 5 ultimate" in table
    assert "100000 for life" in table
    shown = bare.run("plans", "show", "appsumo-tier-1")
    assert "message pool:             500 a month\n" in shown
    assert "limits are for:           each member\n" in shown


def test_a_file_of_ones_own_counts(bare: Commands, tmp_path: Path) -> None:
    with_plans(bare, tmp_path, '[plans.lab]\nmodels = ["local/*"]\nscope = "workspace"\n')
    assert bare.json("plans", "list")[-1]["name"] == "lab"
    shown = bare.run("plans", "show", "lab")
    assert "tiers:                    none\n" in shown
    assert "limits are for:           the workspace as one\n" in shown


def test_an_unknown_plan_is_not_shown(bare: Commands) -> None:
    with pytest.raises(InvalidRequest, match="did you mean 'premium'"):
        bare.run("plans", "show", "premiun")


def test_a_wrong_file_is_explained_by_line(bare: Commands, tmp_path: Path) -> None:
    file = with_plans(bare, tmp_path, WRONG)
    assert bare.run("plans", "check", status=1).splitlines() == [
        f"{file}:2: plans.free.byok: must be true or false, not a number.",
        f"{file}:3: plans.free.tires: unknown key; did you mean 'tiers'?",
    ]
    found = bare.json("plans", "check", status=1)
    assert found["file"] == str(file)
    assert found["plans"] == []
    assert found["mistakes"][0] == {
        "line": 2,
        "where": "plans.free.byok",
        "what": "must be true or false, not a number.",
    }
    for command in (("plans", "list"), ("init",), ("serve", "--port", "0")):
        with pytest.raises(ConfigurationError, match=r"plans\.toml:2: plans\.free\.byok"):
            bare.run(*command)
    assert not bare.data_dir.exists()


def test_a_file_can_be_checked_before_it_is_set(bare: Commands, tmp_path: Path) -> None:
    file = tmp_path / "next.toml"
    file.write_text('only = ["free"]\n')
    assert bare.run("plans", "check", str(file)) == f"{file} is right; with it the plans are free.\n"
    assert bare.json("plans", "check", str(file)) == {"file": str(file), "plans": ["free"], "mistakes": []}
    assert "No plans file is set" in bare.run("plans", "check")
    assert bare.json("plans", "check")["file"] is None


def test_nobody_is_put_on_a_plan_that_does_not_exist(commands: Commands) -> None:
    (home,) = commands.json("workspaces", "list")
    for command in (
        ("workspaces", "set-plan", home["workspace"], "premuim"),
        ("workspaces", "create", "Team", "--plan", "premuim"),
        ("users", "create", "ada@example.org", "--plan", "premuim"),
    ):
        with pytest.raises(InvalidRequest, match="did you mean 'premium'"):
            commands.run(*command)
    assert commands.json("workspaces", "list") == [home]
    assert len(commands.json("users", "list")) == 1


def test_a_first_run_needs_the_first_workspaces_plan(
    bare: Commands, tmp_path: Path, sqlite_file_url: str
) -> None:
    bare.environ["WRITINGMATE_DATABASE_URL"] = sqlite_file_url
    file = with_plans(bare, tmp_path, 'only = ["free"]\n')
    with pytest.raises(ConfigurationError, match="name it in `only`"):
        bare.run("init")
    file.write_text('only = ["free", "self-hosted"]\n')
    made = bare.json("init")
    file.write_text('only = ["free"]\n')
    bare.run("workspaces", "set-plan", made["workspace"], "free")
    bare.run("init")


def test_doctor_finds_a_broken_file_and_workspaces_without_a_plan(commands: Commands, tmp_path: Path) -> None:
    def found(status: int) -> dict[str, dict[str, str]]:
        return {finding["check"]: finding for finding in commands.json("doctor", status=status)}

    well = found(0)
    assert well["plans"]["detail"].startswith("no plans file; free, premium, ")
    assert well["workspaces"]["detail"] == "1, each on a plan that is configured"
    file = with_plans(commands, tmp_path, WRONG)
    broken = found(1)
    assert broken["plans"]["status"] == "broken"
    assert f"{file}:3: plans.free.tires" in broken["plans"]["detail"]
    assert "writingmate plans check" in broken["plans"]["advice"]
    assert "workspaces" not in broken
    file.write_text('only = ["free"]\n')
    (home,) = commands.json("workspaces", "list")
    without = found(1)
    assert without["plans"]["detail"] == f"file {file}; free"
    assert without["workspaces"]["status"] == "broken"
    assert f"{home['workspace']} (self-hosted)" in without["workspaces"]["detail"]
    assert "set-plan" in without["workspaces"]["advice"]


def test_doctor_names_a_few_of_many(commands: Commands, tmp_path: Path) -> None:
    for number in range(11):
        commands.run("workspaces", "create", f"Team {number}")
    with_plans(commands, tmp_path, 'only = ["premium"]\n')
    (finding,) = (each for each in commands.json("doctor", status=1) if each["check"] == "workspaces")
    assert finding["detail"].endswith(" and 2 more")
