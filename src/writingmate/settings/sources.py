"""Where settings come from: the TOML file, the environment, the command line; later ones win."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from writingmate.errors import ConfigurationError
from writingmate.settings.fields import ModelSection, ProviderSection, Settings, TimeoutSection
from writingmate.settings.values import (
    annotated,
    checked_url,
    lenient,
    refuse_unknown_keys,
    section,
    strict,
    table,
)

PREFIX = "WRITINGMATE_"
_FILE_VARIABLE = "WRITINGMATE_SETTINGS"
_SECTIONS = ("timeouts", "providers", "models")
_PROVIDER_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_PROVIDER_VARIABLE = re.compile(r"(?!WRITINGMATE_)[A-Z0-9_]+_(API_KEY|API_TOKEN|BASE_URL)|OLLAMA_HOST")


def simple_fields() -> dict[str, Any]:
    """Name → annotation of every field that one word can set; ``timeouts.first`` is such a name."""
    names = {
        name: annotation
        for name, annotation in annotated(Settings).items()
        if name not in {*_SECTIONS, "settings_file", "environ"}
    }
    nested = {f"timeouts.{name}": kind for name, kind in annotated(TimeoutSection).items()}
    return {**names, **nested}


def variable(name: str) -> str:
    """The environment variable of a field: ``WRITINGMATE_TIMEOUTS_FIRST`` for ``timeouts.first``."""
    return PREFIX + name.upper().replace(".", "_")


def read_settings(environ: Mapping[str, str], *, overrides: Mapping[str, object] | None = None) -> Settings:
    """Read all settings once.

    Args:
        environ: the process's environment; ``WRITINGMATE_SETTINGS`` names the TOML file.
        overrides: field → value from the command line; None means not given.

    Raises:
        ConfigurationError: names the file or variable, the key, and what to do.
    """
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    file = _file(given.pop("settings_file", None) or environ.get(_FILE_VARIABLE))
    raw = _parsed(file) if file else {}
    values = {**_from_file(raw, file), **_from_environment(environ), **_from_command_line(given)}
    providers = _providers(raw, file)
    return Settings(
        **{name: value for name, value in values.items() if "." not in name},
        timeouts=TimeoutSection(**{name[9:]: value for name, value in values.items() if "." in name}),
        providers=providers,
        models=_models(raw, file),
        settings_file=file,
        environ=_provider_variables(environ, providers.values()),
    )


def _file(named: object) -> Path | None:
    return Path(str(named)).expanduser() if named else None


def _parsed(file: Path) -> dict[str, Any]:
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}. {_FILE_VARIABLE} must name a file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: is not valid TOML: {error}") from None
    known = [name for name in simple_fields() if "." not in name]
    refuse_unknown_keys(raw, [*known, *_SECTIONS], str(file))
    return raw


def _from_file(raw: Mapping[str, Any], file: Path | None) -> dict[str, Any]:
    timeouts = table(raw.get("timeouts", {}), f"{file}: timeouts")
    refuse_unknown_keys(timeouts, [item.name for item in fields(TimeoutSection)], f"{file}: timeouts")
    flat = {**raw, **{f"timeouts.{name}": value for name, value in timeouts.items()}}
    return {
        name: _checked(name, strict(flat[name], annotation, f"{file}: {name}"), f"{file}: {name}")
        for name, annotation in simple_fields().items()
        if name in flat
    }


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    names = {variable(name): name for name in simple_fields()}
    _refuse_near_misses(environ, [*names, _FILE_VARIABLE])
    return {
        name: _checked(name, lenient(environ[key], simple_fields()[name], key), key)
        for key, name in names.items()
        if environ.get(key, "").strip()
    }


def _from_command_line(given: Mapping[str, object]) -> dict[str, Any]:
    refuse_unknown_keys(given, simple_fields(), "command line")
    options = {name: "--" + name.replace("_", "-").replace(".", "-") for name in given}
    return {
        name: _checked(name, lenient(value, simple_fields()[name], options[name]), options[name])
        for name, value in given.items()
    }


def _checked(name: str, value: object, where: str) -> object:
    if name == "public_url" and isinstance(value, str) and value:
        return checked_url(value, where)
    return value


def _refuse_near_misses(environ: Mapping[str, str], known: Iterable[str]) -> None:
    """Other WRITINGMATE_ names may be a client's (WRITINGMATE_API_KEY); one that nearly fits is a slip."""
    suffixes = [name.removeprefix(PREFIX) for name in known]
    for name in environ:
        suffix = name.removeprefix(PREFIX)
        if suffix != name and suffix not in suffixes:
            near = difflib.get_close_matches(suffix, suffixes, n=1, cutoff=0.8)
            if near:
                raise ConfigurationError(f"{name}: no such variable; did you mean {PREFIX}{near[0]}?")


def _providers(raw: Mapping[str, Any], file: Path | None) -> dict[str, ProviderSection]:
    sections = table(raw.get("providers", {}), f"{file}: providers")
    return {name: _provider(name, value, f"{file}: providers.{name}") for name, value in sections.items()}


def _provider(name: str, raw: object, where: str) -> ProviderSection:
    if not _PROVIDER_NAME.fullmatch(name):
        raise ConfigurationError(f"{where}: a provider's name is made of a-z, 0-9, '.', '_' and '-'.")
    if name == "local":
        raise ConfigurationError(f"{where}: 'local' is the name of the embedded models; choose another.")
    read = section(ProviderSection, raw, where)
    if read.base_url is not None:
        checked_url(read.base_url, f"{where}.base_url")
    return read


def _models(raw: Mapping[str, Any], file: Path | None) -> dict[str, ModelSection]:
    sections = table(raw.get("models", {}), f"{file}: models")
    return {
        slug: section(ModelSection, value, f'{file}: models."{slug}"') for slug, value in sections.items()
    }


def _provider_variables(environ: Mapping[str, str], sections: Iterable[ProviderSection]) -> dict[str, str]:
    named = {item.api_key_env for item in sections}
    return {
        name: text.strip()
        for name, text in environ.items()
        if text.strip() and (name in named or _PROVIDER_VARIABLE.fullmatch(name))
    }
