"""The providers that ship: one row each, in the order of the documentation.

Sources are the providers' own reference pages, read in November 2026:

* Mistral refuses ``stream_options`` with 422 and sends usage in the last chunk of every stream.
* OpenRouter always sends usage; ``stream_options`` has no effect there. For its rankings ``HTTP-Referer``
  says where the application is, which is the operator's to tell; ``X-OpenRouter-Title``, once ``X-Title``,
  how it is called.
* OpenAI's ``/completions`` refuses chat models, which are what the catalog routes to it; DeepSeek's
  is a beta under another path; Groq and Mistral have none; xAI's is a legacy that its reasoning
  models do not serve. So these rows speak chat only, and completions are translated.
* OpenAI serves ``/responses`` with ``store`` false and reasoning encrypted. Other servers behind
  OPENAI_BASE_URL often have chat only, so there it is spoken only if the settings say so.
* xAI accepts ``store`` and ``reasoning.encrypted_content`` too; but one vendor's encrypted reasoning
  means nothing to another, and a model's routes may be of both. Groq's is a beta, Ollama's knows no
  ``text.format`` or ``tool_choice``, and both keep nothing. vLLM keeps nothing unless it is started so,
  and refuses ``store`` true. OpenRouter's follows OpenResponses. These rows speak chat; ``dialects`` of
  a provider's settings says otherwise.
* Anthropic's own clients add ``/v1/messages`` to ANTHROPIC_BASE_URL, which is set without ``/v1``.
* Google's own clients add ``/v1beta`` to GOOGLE_GEMINI_BASE_URL. Its list comes in pages of 50 unless
  asked for more, at most 1,000, which is many times what there is. A key in a URL would be in logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from writingmate.types import DialectName

PATHS: Mapping[DialectName, str] = MappingProxyType(
    {
        "chat": "/chat/completions",
        "completions": "/completions",
        "gemini": "/models",
        "messages": "/messages",
        "responses": "/responses",
    }
)
_CHAT: tuple[DialectName, ...] = ("chat",)
_OPENAI: tuple[DialectName, ...] = ("chat", "responses")
_BOTH: tuple[DialectName, ...] = ("chat", "completions")


@dataclass(frozen=True, slots=True)
class Row:
    """A provider as shipped.

    ``key_variable`` holds its key, ``url_variables`` point elsewhere (the first one set counts).
    One that is ``self_hosted`` needs no key: it is configured by saying where it is, its addresses
    may leave out ``/v1``, and its models are asked for, since nobody else knows them. Where the
    provider's own clients ``add_version``, so do we. ``key_header`` is where the key goes, ``list_path``
    where the list of models is. One that ``gathers`` other vendors' models is asked for its list as soon as
    it has a key.
    """

    name: str
    base_url: str
    key_variable: str
    url_variables: tuple[str, ...]
    dialects: tuple[DialectName, ...] = _CHAT
    stream_usage: Literal["option", "always"] = "option"
    headers: Mapping[str, str] = field(default_factory=dict)
    self_hosted: bool = False
    add_version: str = ""
    gathers: bool = False
    key_header: str = "authorization"
    list_path: str = "/models"


def _hosted(
    name: str,
    base_url: str,
    dialects: tuple[DialectName, ...] = _CHAT,
    *,
    stream_usage: Literal["option", "always"] = "option",
    headers: Mapping[str, str] | None = None,
    gathers: bool = False,
) -> Row:
    variable = name.upper()
    return Row(
        name=name,
        base_url=base_url,
        key_variable=f"{variable}_API_KEY",
        url_variables=(f"{variable}_BASE_URL",),
        dialects=dialects,
        stream_usage=stream_usage,
        headers=headers or {},
        gathers=gathers,
    )


def _self_hosted(name: str, base_url: str, *further_variables: str) -> Row:
    variable = name.upper()
    return Row(
        name=name,
        base_url=base_url,
        key_variable=f"{variable}_API_KEY",
        url_variables=(f"{variable}_BASE_URL", *further_variables),
        dialects=_BOTH,
        self_hosted=True,
    )


ANTHROPIC = Row(
    name="anthropic",
    base_url="https://api.anthropic.com/v1",
    key_variable="ANTHROPIC_API_KEY",
    url_variables=("ANTHROPIC_BASE_URL",),
    dialects=("messages",),
    headers={"anthropic-version": "2023-06-01"},
    add_version="v1",
    key_header="x-api-key",
)

GOOGLE = Row(
    name="google",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    key_variable="GEMINI_API_KEY",
    url_variables=("GEMINI_BASE_URL", "GOOGLE_GEMINI_BASE_URL"),
    dialects=("gemini",),
    add_version="v1beta",
    key_header="x-goog-api-key",
    list_path="/models?pageSize=1000",
)

ROWS: Mapping[str, Row] = MappingProxyType(
    {
        row.name: row
        for row in (
            _hosted("openai", "https://api.openai.com/v1", _OPENAI),
            _hosted(
                "openrouter",
                "https://openrouter.ai/api/v1",
                headers={"x-title": "writingmate", "x-openrouter-title": "writingmate"},
                gathers=True,
            ),
            _hosted("groq", "https://api.groq.com/openai/v1"),
            _hosted("mistral", "https://api.mistral.ai/v1", stream_usage="always"),
            _hosted("deepseek", "https://api.deepseek.com"),
            _hosted("xai", "https://api.x.ai/v1"),
            _hosted("together", "https://api.together.ai/v1", _BOTH),
            _hosted("fireworks", "https://api.fireworks.ai/inference/v1", _BOTH),
            ANTHROPIC,
            GOOGLE,
            _self_hosted("ollama", "http://127.0.0.1:11434/v1", "OLLAMA_HOST"),
            _self_hosted("vllm", "http://127.0.0.1:8000/v1"),
            _self_hosted("llamacpp", "http://127.0.0.1:8080/v1"),
        )
    }
)
