"""Why a field is without effect where it is: each entry is a client's dialect, a provider's, and labels.

What has no entry must be carried, translated, shown or refused; an entry that fits nothing must go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """``labels`` is a regular expression for a label's beginning; ``client``, ``provider``: any if ``*``,
    or several with ``|`` between them."""

    client: str
    provider: str
    labels: str
    why: str

    def fits(self, client: str, provider: str, label: str) -> bool:
        """Is this the reason for that label?"""
        return (
            (self.client == "*" or client in self.client.split("|"))
            and (self.provider == "*" or provider in self.provider.split("|"))
            and re.match(rf"(?:{self.labels})(?![a-z_])", label) is not None
        )


_CALLED = r"(?:function_call|custom_tool_call)"
_ANYWAY = "it says what is so anyway"
_DETAIL = "the vendor sees every picture in one resolution"
_CACHE = "how a prompt is cached changes no answer"
_PARTS = "one text is the same as a list of it"
_HOSTED = "tools that a vendor hosts are refused, so there is nothing of them to include"
_VENDOR = "of a vendor's own way of calling tools, which is refused where tools are described"

_OVER = "chat|messages|gemini"
_CHATTED = "chat|gemini"

REASONS = (
    Reason("*", "*", "model", "the provider's own name of the model is sent"),
    Reason("*", "*", r"stream_options\.include_obfuscation", "events of ours are not padded"),
    # Anthropic's Messages
    Reason("chat", "messages|gemini", r"messages\[\w+\]\.content(\[\]|\[text\])$", _PARTS),
    Reason("*", "messages|gemini", r".*\.prompt_cache_breakpoint", _CACHE),
    Reason("*", "messages|gemini", "prompt_cache_(key|options|retention)", _CACHE),
    Reason("chat", "messages|gemini", r"messages\[assistant\]\.name", "its own turns need no name"),
    Reason("chat", "messages|gemini", r".*\.image_url\.detail", _DETAIL),
    Reason("responses", "messages|gemini", r".*\[input_image\]\.detail", _DETAIL),
    Reason("chat", "messages|gemini", "metadata|store", "nothing is stored at the provider"),
    Reason("chat", "messages|gemini", "prediction", "it makes an answer faster, not another"),
    Reason("chat", "messages|gemini",
           r'modalities\[\]="text"|response_format\[text\]|verbosity="medium"', _ANYWAY),
    Reason("chat", "messages", 'reasoning_effort="none"', _ANYWAY),
    Reason("chat", "messages|gemini", r"response_format\[json_schema\]\.json_schema\.name",
           "it names, and no more"),
    Reason("chat", "messages|gemini", r"response_format\[json_schema\]\.json_schema\.strict",
           "the vendor holds every answer to its schema"),
    Reason("*", "messages|gemini", "service_tier", "who is served first changes no answer"),
    # Google's Gemini
    Reason("*", "gemini", "user|safety_identifier", "who asks changes no answer"),
    Reason("*", "gemini", r'tool_choice="auto"|parallel_tool_calls', _ANYWAY),
    Reason("chat", "gemini", r".*\.filename", "a file has no name there"),
    Reason("responses", "gemini", r".*\.filename", "a file has no name there"),
    # Responses
    Reason("responses", "*", "store", "what is kept is kept by the gateway"),
    Reason("responses", _OVER, "truncation", "what is too long is refused; the answer says so"),
    Reason("responses", "responses", r'include\[\]="reasoning.encrypted_content"', "it is asked for anyway"),
    Reason("responses", "responses", r"input\[reasoning\]",
           "reasoning that is not encrypted cannot be read again by a provider that keeps nothing"),
    Reason("responses", "chat", r"input\[reasoning\]", "most providers refuse to read reasoning again"),
    Reason("responses", "messages|gemini", r"input\[reasoning\]", "it is not signed as the vendor signs"),
    Reason("responses", _OVER, r'include\[\]="reasoning.encrypted_content"', "there is none"),
    Reason("responses", _OVER, r"include\[\]", _HOSTED),
    Reason("responses", "*", r"input\[\w+\]\.content\[\w+\]$|input\[\w+\]\.output\[\w+\]$", _PARTS),
    Reason("responses", "*", r"input\[\w+\]\.(id|type)", "names are given anew"),
    Reason("responses", "*", r"input\[\w+\]\.status", "what goes into a prompt is as it is, finished or not"),
    Reason("responses", "*", r"input\[\w+\]\.phase", "chat has no phases"),
    Reason("responses", "*", r"input\[\w+\]\.content\[output_text\]\.(annotations|logprobs)",
           "of what was said before only the words are sent"),
    Reason("responses", "*", rf"input\[{_CALLED}(_output)?\]\.(async|caller|namespace|name)", _VENDOR),
    Reason("responses", "*", r"reasoning$", _ANYWAY),
    Reason("responses", "*", r'.*\[input_file\]\.detail="auto"', _ANYWAY),
    Reason("responses", "*", r'reasoning\.context="(auto|current_turn)"', _ANYWAY),
    Reason("responses", "*", r'text$|text\.format\[text\]|text\.verbosity="medium"', _ANYWAY),
    Reason("responses", "*", r"tools\[custom\]\.format\[text\]", _ANYWAY),
    Reason("responses", "*", "stream_options$", _ANYWAY),
    # Anthropic's clients
    Reason("messages", _CHATTED, r"(.*\.|system\[\]\.)?cache_control", _CACHE),
    Reason("messages", _CHATTED, r".*\.citations", "of what was said before only the words are sent"),
    Reason("messages", _CHATTED, r".*\.content\[text\]$", _PARTS),
    Reason("messages", _CHATTED, r".*\.transformations$", _ANYWAY),
    Reason("messages", "gemini", r".*\[document\]\.title", "a file has no name there"),
    Reason("messages", _CHATTED, r"messages\[assistant\]\.content\[(redacted_)?thinking\]",
           "it goes back to the model that thought it, and to no other"),
    Reason("messages", _CHATTED, r"messages\[assistant\]\.content\[tool_use\]\.caller", _VENDOR),
    Reason("messages", _CHATTED, "diagnostics|metadata", "it is told to the vendor, and changes no answer"),
    Reason("messages", _CHATTED,
           r'output_config$|output_config\.effort="high"|service_tier="auto"|speed', _ANYWAY),
    Reason("messages", _CHATTED, r"thinking\[(disabled|between_tools|adaptive)\]$",
           "how much to think is left to the model"),
    Reason("messages", _CHATTED, r'tools\[custom\]\.(type|allowed_callers\[\]="direct")', _ANYWAY),
    Reason("messages", _CHATTED, r"tools\[custom\]\.(defer_loading|eager_input_streaming)",
           "it saves a prompt or time, and changes no answer"),
    Reason("messages", "gemini", r"tool_choice\[auto\]$", _ANYWAY),
    Reason("messages", "gemini", r"tool_choice\[\w+\]\.disable_parallel_tool_use",
           "a second call is left out of the answer"),
    Reason("messages", "gemini", r"tools\[custom\]\.input_schema\[object\]\.required",
           "of an object without properties it says nothing"),
    Reason("messages", _CHATTED, r"thinking\[enabled\]\.budget_tokens", "an effort stands for many budgets"),
    Reason("messages", _CHATTED, r"thinking\[\w+\]\.display",
           "it says what is shown of thinking, of which this answer has none"),
)  # fmt: skip


def reason(among: Iterable[Reason], client: str, provider: str, label: str) -> Reason | None:
    """The first that fits."""
    return next((each for each in among if each.fits(client, provider, label)), None)
