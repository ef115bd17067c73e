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
)  # fmt: skip


def reason(among: Iterable[Reason], client: str, provider: str, label: str) -> Reason | None:
    """The first that fits."""
    return next((each for each in among if each.fits(client, provider, label)), None)
