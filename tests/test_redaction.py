from __future__ import annotations

import time
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from writingmate.redaction import ADDRESS, KEY, LONGEST, clean

SECRETS: Final = {
    "ours": "wm_v2.k7Qz.9fQ2k1LmZ8xV4bN7cT5yR3wE6uI0oPaS.c2ln",
    "an invitation": "wm_inv_9fQ2k1LmZ8xV4b-N7cT5_yR3wE6uI0oPaSc2lnX9fQ2k1",
    "openai": "sk-proj-9fQ2k1LmZ8xV4bN7",
    "openai masked": "sk-abcd****************wxyz",
    "openrouter": "sk-or-v1-0123456789abcdef0123456789abcdef",
    "anthropic": "sk-ant-api03-9fQ2k1LmZ8xV4b_N7-cT5",
    "google": "AIzaSyD9fQ2k1LmZ8xV4bN7cT5yR3wE6uI0oPaS",
    "groq": "gsk_9fQ2k1LmZ8xV4bN7cT5yR3wE",
    "replicate": "r8_9fQ2k1LmZ8xV4bN7cT5yR3wE",
    "xai": "xai-9fQ2k1LmZ8xV4bN7cT5yR3wE",
    "together": "tgp_v1_9fQ2k1LmZ8xV4bN7cT5yR",
    "fireworks": "fw_9fQ2k1LmZ8xV4bN7cT5yR3",
    "hugging face": "hf_9fQ2k1LmZ8xV4bN7cT5yR3",
    "mistral": "9fQ2k1LmZ8xV4bN7cT5yR3wE6uI0oPaS",
    "hexadecimal": "0123456789abcdef0123456789abcdef",
    "a signed token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
}
AROUND = [
    "{}",
    "Incorrect API key provided: {}.",
    'the key "{}" was refused',
    "key={}",
    "(see {})",
    "x,{},y",
    "Authorization: Bearer {}",
    "\n{}\n",
    "'{}'",
    "k:{}",
]


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("around", AROUND)
def test_keys_go_wherever_they_stand(secret: str, around: str) -> None:
    cleaned = clean(around.format(secret))
    assert KEY in cleaned
    assert not any(secret[start : start + 8] in cleaned for start in range(len(secret) - 8))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Bearer abcdef", f"Bearer {KEY}"),
        ("basic dXNlcjpwYXNz1", f"basic {KEY}"),
        ("password=hunter2", f"password={KEY}"),
        ('{"client_secret": "abcd"}', f'{{"client_secret": "{KEY}"}}'),
        ("api_key: Abcdefg1", f"api_key: {KEY}"),
        ("see https://platform.openai.com/account/api-keys.", f"see {ADDRESS}"),
        ("postgresql://user:pass@db/name is down", f"{ADDRESS} is down"),
        ("at http://10.1.2.3:8000/v1?key=abc now", f"at {ADDRESS} now"),
        ("cannot reach api.openai.com", f"cannot reach {ADDRESS}"),
        ("cannot reach gpu-1.internal:8000", f"cannot reach {ADDRESS}"),
        ("cannot reach localhost:11434", f"cannot reach {ADDRESS}"),
        ("cannot reach 10.0.0.5:443", f"cannot reach {ADDRESS}"),
        ("cannot reach [fd00::1]:443", f"cannot reach {ADDRESS}"),
        ("mail ops@example.com", f"mail ops@{ADDRESS}"),
    ],
)
def test_what_goes(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "The model `Qwen/Qwen3-235B-A22B-Instruct-2507-FP8` does not exist.",
        "The model `accounts/fireworks/models/llama-v3p3-70b-instruct` does not exist.",
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'.",
        "This model's maximum context length is 128000 tokens. However, your messages have 128001 tokens.",
        "messages[0].content[1].image_url must be an object",
        "Invalid value: 'x'. Supported values are: 'system', 'user', and 'tool'.",
        "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000.",
        "Unexpected token: value; a risk-free task-manager in version 1.2.3",
        "basic authentication is not supported here",
        "tool_choice names a function that tools do not have: get_weather",
    ],
)
def test_what_helps_stays(text: str) -> None:
    assert clean(text) == text


def test_it_becomes_one_line_without_control_characters() -> None:
    assert clean("a\r\nb\x1b[31mc\x00\x9bd ") == "a  b [31mc  d"


def test_the_length_is_bounded() -> None:
    assert clean("word " * 10_000).endswith("…")
    assert len(clean("word " * 10_000)) == LONGEST
    assert clean("words", longest=3) == "wo…"


def test_a_key_across_the_end_of_what_is_read_leaves_no_half() -> None:
    for length in range(4 * LONGEST - 60, 4 * LONGEST + 5):
        text = "http://h/" + "x" * (length - 10) + " " + "sk-" + "9fQ2k1LmZ8xV4bN7" * 3
        assert "9fQ" not in clean(text)


@given(st.text(max_size=300), st.sampled_from(sorted(SECRETS.values())), st.text(max_size=300))
def test_whatever_stands_around_a_key_of_ours(before: str, secret: str, after: str) -> None:
    cleaned = clean(f"{before} {secret} {after}", longest=10_000)
    assert secret not in cleaned
    assert clean(cleaned, longest=10_000).count(KEY) >= cleaned.count(KEY) > 0


HOSTILE = [
    *(
        "a",
        "a.",
        "a-",
        "A1",
        "1.",
        "1.1.1.1.",
        "=",
        "é",
        "[::",
        "a://",
        "://",
        "@a.com",
        "localhost",
        "localhost:",
    ),
    *("key:", "key::", "token_", "secret:", "password=:", "Bearer", "Basic", "sk-", "sk_a", "eyJ", "wm_v2"),
]


@pytest.mark.parametrize(
    "unit", [*HOSTILE, *(f"{word} " for word in HOSTILE), "Bearer  a", "key  :  ", "\x00"]
)
def test_hostile_text_takes_no_longer_than_its_length(unit: str) -> None:
    """A quadratic pattern would take minutes on a megabyte; all of ours together take milliseconds."""
    text = unit * (1_000_000 // len(unit))
    started = time.process_time()
    assert len(clean(text)) <= LONGEST
    assert time.process_time() - started < 1.0
