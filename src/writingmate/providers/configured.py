"""Which providers can be called: the shipped rows and the settings' sections, joined with their keys."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from writingmate.errors import ConfigurationError
from writingmate.providers.rows import ANTHROPIC, GOOGLE, PATHS, ROWS, Row
from writingmate.settings import ProviderSection, Settings, checked_url, nearest
from writingmate.types import DialectName, Provider

OWN_KEY = "wm_v2."
OWN_KEYS_OF = "openrouter"
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VERSION = re.compile(r"/v1(alpha|beta)?$")
_CONNECTION_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade"})
_KEY_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie"}
)
_EMPTY = ProviderSection()


def configured(settings: Settings) -> tuple[Provider, ...]:
    """Every provider that can be called, shipped ones first.

    A hosted one needs its key: from its variable, else from the settings file. A self-hosted one
    needs its address. One that only the settings file knows needs a ``base_url``.

    Raises:
        ConfigurationError: names the variable or key of the settings file, never its value.
    """
    shipped = (_shipped(row, settings) for row in ROWS.values())
    further = (_further(name, settings) for name in settings.providers if name not in ROWS)
    return tuple(provider for provider in (*shipped, *further) if provider is not None)


def for_own_keys(settings: Settings) -> Provider:
    """OpenRouter as callers with a key of their own are sent to it, whether it is configured or not.

    It has no key, nor any header of the operator's that could stand for one.
    """
    row = ROWS[OWN_KEYS_OF]
    section = settings.providers.get(row.name)
    address = _address(row, section, settings) or row.base_url
    provider = _joined(row, section or _EMPTY, address, None, settings)
    headers = {name: value for name, value in provider.headers.items() if name not in _KEY_HEADERS}
    return replace(provider, headers=headers)


def asked(providers: Iterable[Provider], own: Provider) -> tuple[Provider, ...]:
    """Whose lists of models are wanted: OpenRouter's is public, and of use to callers' own keys as well."""
    found = tuple(providers)
    return found if any(provider.name == own.name for provider in found) else (*found, own)


def known_names(settings: Settings) -> frozenset[str]:
    """Names a route may use, configured now or not."""
    return frozenset({*ROWS, *settings.providers})


def notes(settings: Settings) -> tuple[str, ...]:
    """Sentences for an operator about variables that are set but could not be used."""
    return tuple(
        f"{row.key_variable} holds a developer key, which is for clients, so {row.name} is not used. "
        f"Set the key of {row.name} itself, or unset the variable where the server starts."
        for row in ROWS.values()
        if _is_own_key(_variable(row, settings), settings)
    )


def _shipped(row: Row, settings: Settings) -> Provider | None:
    section = settings.providers.get(row.name)
    base_url = _address(row, section, settings)
    api_key = _key(row.name, _variable(row, settings), section or _EMPTY, settings)
    located = section is not None if row.self_hosted else section is not None and section.base_url is not None
    if not located and (base_url is None if row.self_hosted else api_key is None):
        return None
    return _joined(row, section or _EMPTY, base_url or row.base_url, api_key, settings)


def _further(name: str, settings: Settings) -> Provider:
    section = settings.providers[name]
    if section.base_url is None:
        near = difflib.get_close_matches(name, ROWS, n=1)
        advice = f"did you mean [providers.{near[0]}]?" if near else "it is not one that ships; add base_url."
        raise ConfigurationError(f"{_where(settings, name)}: base_url is missing; {advice}")
    row = _alike(section, name, section.base_url)
    api_key = _key(name, section.api_key_env or "", section, settings)
    return _joined(row, section, checked_url(section.base_url, _where(settings, name)), api_key, settings)


def _alike(section: ProviderSection, name: str, base_url: str) -> Row:
    """One that speaks only the dialect of Anthropic or of Google is called as they are."""
    row = Row(name=name, base_url=base_url, key_variable="", url_variables=())
    like = next((each for each in (ANTHROPIC, GOOGLE) if each.dialects == section.dialects), row)
    return replace(like, name=name, base_url=base_url, key_variable="", url_variables=())


def _joined(
    row: Row, section: ProviderSection, base_url: str, api_key: str | None, settings: Settings
) -> Provider:
    headers = {**row.headers, **_checked_headers(section.headers, f"{_where(settings, row.name)}.headers")}
    return Provider(
        name=row.name,
        base_url=base_url,
        paths={dialect: PATHS[dialect] for dialect in section.dialects or _spoken(row, base_url)},
        api_key=api_key,
        headers={name: value for name, value in headers.items() if value},
        stream_usage=row.stream_usage,
        discovers=_discovers(row, api_key) if section.discover is None else section.discover,
        gathers=row.gathers,
        key_header=row.key_header,
        list_path=row.list_path,
        quirks=_quirks(section, _where(settings, row.name)),
    )


def _discovers(row: Row, api_key: str | None) -> bool:
    """Whose models nobody else knows is asked for them; and who gathers everybody's, if we are a customer."""
    return row.self_hosted or (row.gathers and api_key is not None)


def _quirks(section: ProviderSection, where: str) -> str:
    """A shipped provider's name, ``none``, or nothing for those of its own."""
    if section.quirks is not None and section.quirks not in (*ROWS, "none"):
        raise ConfigurationError(f"{where}.quirks: {nearest(section.quirks, (*ROWS, 'none'))}")
    return section.quirks or ""


def _spoken(row: Row, base_url: str) -> tuple[DialectName, ...]:
    """A hosted provider's dialects; of whoever is at another address, those that every such server has."""
    elsewhere = base_url.rstrip("/") != row.base_url
    return tuple(each for each in row.dialects if not (elsewhere and each == "responses"))


def _variable(row: Row, settings: Settings) -> str:
    section = settings.providers.get(row.name)
    return section.api_key_env if section and section.api_key_env else row.key_variable


def _key(name: str, variable: str, section: ProviderSection, settings: Settings) -> str | None:
    where = f"{_where(settings, name)}.api_key"
    if variable in settings.environ and not _is_own_key(variable, settings):
        return _checked_key(settings.environ[variable], variable)
    if section.api_key is not None:
        return _checked_key(section.api_key, where)
    if section.api_key_env is not None and variable not in settings.environ:
        raise ConfigurationError(f"{where}_env: {variable} is not set; set it, or remove api_key_env.")
    return None


def _is_own_key(variable: str, settings: Settings) -> bool:
    """Clients are told to export OPENAI_API_KEY with our key: it must not go to OpenAI, nor back to us."""
    shipped = any(variable == row.key_variable for row in ROWS.values())
    return shipped and settings.environ.get(variable, "").startswith(OWN_KEY)


def _address(row: Row, section: ProviderSection | None, settings: Settings) -> str | None:
    for variable in row.url_variables:
        if variable in settings.environ:
            text = settings.environ[variable]
            address = _ollama_host(text) if variable == "OLLAMA_HOST" else text
            return _versioned(checked_url(address, variable), row)
    if section is not None and section.base_url is not None:
        return _versioned(checked_url(section.base_url, f"{_where(settings, row.name)}.base_url"), row)
    return None


def _versioned(base_url: str, row: Row) -> str:
    """Addresses usually leave out the version: those of self-hosted servers, Anthropic's and Google's."""
    if row.add_version:
        return base_url if _VERSION.search(base_url) else f"{base_url}/{row.add_version}"
    return f"{base_url}/v1" if row.self_hosted and not urlsplit(base_url).path else base_url


def _ollama_host(text: str) -> str:
    """OLLAMA_HOST is ``host``, ``host:port`` or a URL, and often the wildcard its server listens on."""
    scheme, separator, rest = text.rpartition("://")
    host, colon, port = rest.rstrip("/").rpartition(":")
    if not colon or port.endswith("]"):
        host, port = rest.rstrip("/"), {"http": "80", "https": "443"}.get(scheme, "11434")
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104  # replaced
    return f"{scheme if separator else 'http'}://{host}:{port}"


def _checked_key(key: str, where: str) -> str:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(f"{where}: holds spaces or characters that no key has; copy it again.")
    return key


def _checked_headers(headers: Mapping[str, str], where: str) -> dict[str, str]:
    checked: dict[str, str] = {}
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _CONNECTION_HEADERS:
            raise ConfigurationError(f"{where}: {name!r} cannot be sent as a header.")
        if not value.isascii() or not (value.isprintable() or not value):
            raise ConfigurationError(f"{where}.{name}: must be printable ASCII.")
        checked[name.lower()] = value.strip()
    return checked


def _where(settings: Settings, name: str) -> str:
    return f"{settings.settings_file or 'settings'}: providers.{name}"
