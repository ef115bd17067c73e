"""``writingmate plans``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from writingmate.cli import output, setup
from writingmate.cli.options import DataDir, Json

if TYPE_CHECKING:
    from writingmate.types import Plan
    from writingmate.workspaces.plan_file import Reading

app = typer.Typer(help="What workspaces may use.", no_args_is_help=True)


@app.command("list")
def list_(*, data_dir: DataDir = None, json: Json = False) -> None:
    """List the plans that a workspace can be put on."""
    plans = setup.plans(data_dir).all()
    if json:
        output.document(plans)
        return
    output.table(
        ("PLAN", "TITLE", "MODELS", "MESSAGES A DAY", "MESSAGE POOL", "REQUESTS A MINUTE"),
        [
            (
                plan.name,
                plan.title,
                ", ".join((*plan.tiers, *plan.models)),
                _daily(plan),
                _pool(plan),
                _most(plan.requests_per_minute),
            )
            for plan in plans
        ],
        empty="There are no plans.",
    )


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="As `plans list` shows it.")],
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show one plan: the models it includes, and each limit."""
    plan = setup.plan(data_dir, name)
    if json:
        output.document(plan)
        return
    for word, value in _described(plan).items():
        print(f"{word + ':':<26}{value}")


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A plans file; by default the one that is set.")
    ] = None,
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Check a plans file before a server reads it.

    Every mistake is shown with its line, and makes the exit status 1.
    """
    from writingmate.workspaces import plan_file

    chosen = file or setup.read(data_dir).plans
    reading = plan_file.read(chosen) if chosen else plan_file.Reading(plan_file.shipped())
    if json:
        output.document(
            {
                "file": str(chosen) if chosen else None,
                "plans": [plan.name for plan in reading.plans],
                "mistakes": reading.mistakes,
            }
        )
    else:
        print(_checked(chosen, reading))
    if reading.mistakes:
        raise typer.Exit(1)


def _checked(file: Path | None, reading: Reading) -> str:
    from writingmate.workspaces.plan_file import told

    plans = ", ".join(plan.name for plan in reading.plans)
    if file is None:
        return f"No plans file is set (WRITINGMATE_PLANS); the plans that ship are {plans}."
    if reading.mistakes:
        return told(file, reading.mistakes)
    return f"{file} is right; with it the plans are {plans}."


def _described(plan: Plan) -> dict[str, str]:
    return {
        "plan": plan.name,
        "title": plan.title,
        "tiers": ", ".join(plan.tiers) or "none",
        "models besides": ", ".join(plan.models) or "none",
        "messages a day": _daily(plan),
        "message pool": _pool(plan),
        "requests a minute": _most(plan.requests_per_minute),
        "limits are for": "each member" if plan.scope == "member" else "the workspace as one",
        "bytes of a request": _most(plan.max_body_bytes),
        "bytes of an upload": _most(plan.max_upload_bytes),
        "images a day": _most(plan.images_per_day),
        "video seconds a month": _most(plan.video_seconds_per_month),
        "own provider key": "yes" if plan.byok else "no",
    }


def _daily(plan: Plan) -> str:
    limits = [f"{messages} {tier}" for tier, messages in plan.daily_messages.items()]
    return ", ".join(limits) or "unlimited"


def _pool(plan: Plan) -> str:
    if plan.pool_messages is None:
        return "none"
    return f"{plan.pool_messages} {'a month' if plan.pool_period == 'month' else 'for life'}"


def _most(number: int | None) -> str:
    return "unlimited" if number is None else str(number)
