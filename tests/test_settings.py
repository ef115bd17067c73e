from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from writingmate.errors import ConfigurationError
from writingmate.settings import (
    ModelSection,
    ProviderSection,
    RouteSection,
    Settings,
    TimeoutSection,
    checked_url,
    read_settings,
)
from writingmate.settings.sources import simple_fields, variable
from writingmate.types import Pricing

DOCUMENT = Path(__file__).parents[1] / "docs" / "settings.md"


def read(
    tmp_path: Path, text: str, environ: Mapping[str, str] | None = None, **overrides: object
) -> Settings:
    file = tmp_path / "settings.toml"
    file.write_text(text, encoding="utf-8")
    return read_settings({"WRITINGMATE_SETTINGS": str(file), **(environ or {})}, overrides=overrides)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)
    return str(caught.value).replace(str(tmp_path / "settings.toml"), "FILE")


def test_defaults_need_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = read_settings({})
    assert (settings.host, settings.port, settings.workers, settings.local) == ("127.0.0.1", 8000, 1, True)
    assert settings.data_dir == tmp_path / "data"
    assert settings.database_url == f"sqlite:///{tmp_path}/data/writingmate.db"
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.timeouts == TimeoutSection(10.0, 600.0, 300.0)
    assert settings.settings_file is None


def test_the_file_sets_every_kind_of_value(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        """
        host = "::"
        local = false
        drain_seconds = 5
        data_dir = "~/somewhere"
        [timeouts]
        first = 1.5
        [providers.lab]
        base_url = "http://lab.example.com/v1"
        api_key = "secret-of-the-file"
        dialects = ["chat", "completions"]
        models = ["a", "b"]
        discover = true
        headers = { x-team = "blue" }
        [models."lab/a"]
        tier = "basic"
        pricing = { input = "0.30", output = "2.50" }
        routes = [{ provider = "lab", model = "a" }]
        """,
    )
    assert (settings.host, settings.local, settings.drain_seconds) == ("::", False, 5.0)
    assert settings.data_dir == Path.home() / "somewhere"
    assert settings.public_url == "http://[::1]:8000"
    assert settings.timeouts == TimeoutSection(first=1.5)
    lab = settings.providers["lab"]
    assert (lab.models, lab.discover, lab.dialects) == (("a", "b"), True, ("chat", "completions"))
    assert settings.models["lab/a"].pricing == Pricing("0.30", "2.50")
    assert settings.models["lab/a"].routes == (RouteSection("lab", "a"),)


def test_later_places_win(tmp_path: Path) -> None:
    text = 'port = 1\nworkers = 2\nhost = "file"'
    settings = read(tmp_path, text, {"WRITINGMATE_PORT": "3", "WRITINGMATE_HOST": " env "}, port=4, host=None)
    assert (settings.port, settings.workers, settings.host) == (4, 2, "env")


TEXTS: dict[object, tuple[str, object]] = {
    bool: ("off", False),
    float: ("7.5", 7.5),
    Path: ("/srv/data", Path("/srv/data")),
    Path | None: ("/srv/data", Path("/srv/data")),
}
WHOLE = {
    "port": 81,
    "workers": 3,
    "max_body_bytes": 4096,
    "retention_days": 90,
    "background_at_once": 7,
    "responses_days": 7,
    "timeouts.tries": 4,
}


@pytest.mark.parametrize("name", simple_fields())
def test_every_field_has_its_variable(name: str) -> None:
    kind = simple_fields()[name].__origin__
    text, expected = TEXTS.get(kind, ("http://set.example.com", "http://set.example.com"))
    if kind is int:
        text, expected = str(WHOLE[name]), WHOLE[name]
    settings: object = read_settings({variable(name): text})
    for part in name.split("."):
        settings = getattr(settings, part)
    assert settings == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [("on", True), ("TRUE", True), ("1", True), ("off", False), ("No", False), ("0", False)],
)
def test_switches_read_as_people_write_them(text: str, value: object) -> None:
    assert read_settings({"WRITINGMATE_LOCAL": text}).local is value


def test_an_empty_variable_is_not_set() -> None:
    assert read_settings({"WRITINGMATE_PORT": "  ", "WRITINGMATE_SETTINGS": ""}).port == 8000


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104  # compared, not bound
        ("::", "[::1]"),
        ("fd00::1", "[fd00::1]"),
        ("h", "h"),
    ],
)
def test_the_public_address_follows_the_host(host: str, address: str) -> None:
    assert Settings(host=host, port=9).public_url == f"http://{address}:9"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "FILE: unknown key 'prot'; did you mean 'port'?"),
        ("[timeout]", "FILE: unknown key 'timeout'; did you mean 'timeouts'?"),
        ("[timeouts]\nfrist = 1", "FILE: timeouts: unknown key 'frist'; did you mean 'first'?"),
        (
            "[providers.lab]\nbaseurl = 'x'",
            "FILE: providers.lab: unknown key 'baseurl'; did you mean 'base_url'?",
        ),
        ("[models.'a/b']\nprice = 1", "FILE: models.\"a/b\": unknown key 'price'; did you mean 'pricing'?"),
        (
            "[models.'a/b']\nroutes = [{provider = 'x', modle = 'y'}]",
            "FILE: models.\"a/b\".routes: unknown key 'modle'; did you mean 'model'?",
        ),
        (
            "[models.'a/b'.pricing]\nin = '1'",
            "FILE: models.\"a/b\".pricing: unknown key 'in'; did you mean 'input'?",
        ),
        ("port = '80'", "FILE: port: expected `int`, got `str`."),
        ("local = 'off'", "FILE: local: expected `bool`, got `str`."),
        ("port = 70000", "FILE: port: expected `int` <= 65535."),
        ("data_dir = ''", "FILE: data_dir: expected a path."),
        ("timeouts = 3", "FILE: timeouts: must be a table, like [timeouts]."),
        ("[timeouts]\nfirst = 0", "FILE: timeouts.first: expected `float` > 0.0."),
        ("providers.x = 1", "FILE: providers.x: must be a table, like [providers.x]."),
        ("[providers.x]\nmodels = [1]", "FILE: providers.x.models[0]: expected `str`, got `int`."),
        (
            "[providers.x]\ndialects = ['telex']",
            "FILE: providers.x.dialects[0]: invalid enum value 'telex'.",
        ),
        (
            "[providers.'X y']",
            "FILE: providers.X y: a provider's name is made of a-z, 0-9, '.', '_' and '-'.",
        ),
        (
            "[providers.local]",
            "FILE: providers.local: 'local' is the name of the embedded models; choose another.",
        ),
        (
            "public_url = 'ai.example.com'",
            "FILE: public_url: must be an http or https URL, like https://host/v1.",
        ),
        (
            "[providers.x]\nbase_url = 'http://u:secret@h/v1'",
            "FILE: providers.x.base_url: must not hold a user name or password; set a key or headers.",
        ),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message


def test_a_key_like_none_lists_those_there_are(tmp_path: Path) -> None:
    assert "known are host, port" in refusal(tmp_path, "zzz = 1")


def test_a_file_that_is_not_toml_says_where(tmp_path: Path) -> None:
    assert "FILE: is not valid TOML" in refusal(tmp_path, "port = ")
    assert "line 2" in refusal(tmp_path, "host = 'h'\nport = x")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="is not valid TOML"):
        read_settings({"WRITINGMATE_SETTINGS": str(file)})


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml: No such file .* WRITINGMATE_SETTINGS"):
        read_settings({"WRITINGMATE_SETTINGS": str(tmp_path / "none.toml")})


def test_the_command_line_may_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text("port = 5")
    settings = read_settings({"WRITINGMATE_SETTINGS": "/none"}, overrides={"settings_file": file})
    assert (settings.port, settings.settings_file) == (5, file)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"WRITINGMATE_PORT": "eighty"}, "WRITINGMATE_PORT: expected `int`, got `str`."),
        ({"WRITINGMATE_LOCAL": "maybe"}, "WRITINGMATE_LOCAL: expected `bool`, got `str`."),
        ({"WRITINGMATE_DRAIN_SECONDS": "nan"}, "WRITINGMATE_DRAIN_SECONDS: expected `float` >= 0.0."),
        ({"WRITINGMATE_PRT": "1"}, "WRITINGMATE_PRT: no such variable; did you mean WRITINGMATE_PORT?"),
        (
            {"WRITINGMATE_DATABSE_URL": "x"},
            "WRITINGMATE_DATABSE_URL: no such variable; did you mean WRITINGMATE_DATABASE_URL?",
        ),
        (
            {"WRITINGMATE_SETINGS": "x"},
            "WRITINGMATE_SETINGS: no such variable; did you mean WRITINGMATE_SETTINGS?",
        ),
    ],
)
def test_a_mistake_in_the_environment_is_named(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_settings(environ)
    assert str(caught.value) == message


def test_variables_of_clients_are_left_alone() -> None:
    assert read_settings({"WRITINGMATE_API_KEY": "wm_v2.a.b.c"}).environ == {}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"port": "x"}, "--port: expected `int`, got `str`."),
        ({"data_dri": "x"}, "command line: unknown key 'data_dri'; did you mean 'data_dir'?"),
    ],
)
def test_a_mistake_on_the_command_line_is_named(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_settings({}, overrides=overrides)
    assert str(caught.value) == message


def test_only_variables_of_providers_are_kept(tmp_path: Path) -> None:
    environ = {
        "OPENAI_API_KEY": " sk-1 ",
        "GROQ_BASE_URL": "http://x",
        "OLLAMA_HOST": "h",
        "LAB_KEY": "k",
        "EMPTY_API_KEY": " ",
        "HOME": "/root",
        "DATABASE_PASSWORD": "p",
    }
    settings = read(tmp_path, "[providers.lab]\napi_key_env = 'LAB_KEY'", environ)
    assert settings.environ == {
        "OPENAI_API_KEY": "sk-1",
        "GROQ_BASE_URL": "http://x",
        "OLLAMA_HOST": "h",
        "LAB_KEY": "k",
    }


def test_no_secret_is_shown(tmp_path: Path) -> None:
    text = """
        database_url = "postgresql://u:hidden-1@h/d"
        [providers.lab]
        api_key = "hidden-2"
        headers = { authorization = "hidden-3" }
    """
    settings = read(tmp_path, text, {"OPENAI_API_KEY": "hidden-4"})
    assert "hidden" not in repr(settings)
    assert "hidden" not in str(dataclasses.replace(settings, port=1))


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]  # what is tested


@pytest.mark.parametrize("url", ["http://h", "https://h:8/v1/", " http://127.0.0.1:9/a/b "])
def test_good_addresses(url: str) -> None:
    assert checked_url(url, "here") == url.strip().rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h",
        "ftp://h",
        "http://",
        "http://:80",
        "http://h:0",
        "http://h:99999",
        "http://[::1",
        "http://h/ a",
        "http://h\\a",
        "http://h\na",
        "http://hé",
        "http://u@h",
        "http://:p@h",
        "http://h?q=1",
        "http://h/#f",
    ],
)
def test_bad_addresses_are_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^here: must ") as caught:
        checked_url(url, "here")
    assert len(url) < 2 or url not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    with suppress(ConfigurationError):
        assert checked_url(text, "here").startswith(("http", "HTTP"))


def described(annotation: Any) -> str:
    notes = [item for item in annotation.__metadata__ if isinstance(item, Meta) and item.description]
    return str(notes[0].description)


def written(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def rows_expected() -> list[str]:
    defaults = {item.name: item.default for item in dataclasses.fields(Settings)}
    for item in dataclasses.fields(TimeoutSection):
        defaults[f"timeouts.{item.name}"] = item.default
    rows = [
        f"| `{name}` | `{variable(name)}` | {written(defaults[name])} | {described(kind)} |".replace(
            "`` ", ""
        )
        for name, kind in simple_fields().items()
    ]
    for section in (ProviderSection, ModelSection):
        kinds = get_type_hints(section, include_extras=True)
        rows += [f"| `{name}` | {described(kind)} |" for name, kind in kinds.items()]
    return rows


def test_the_document_describes_every_setting_as_it_is() -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    start = lines.index("## Providers")
    keyed = [line for line in lines[:start] if line.startswith("| `")]
    sections = [line for line in lines[start:] if line.startswith("| `") and line.count("|") == 3]
    assert keyed + sections == rows_expected()


def test_the_examples_of_the_document_are_valid(tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    examples = [part.partition("```")[0] for part in text.split("```toml\n")[1:]]
    assert len(examples) == 3
    for example in examples:
        read(tmp_path, example)
