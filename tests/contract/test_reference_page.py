"""The reference page's examples, word for word, with the host and the key replaced."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import json
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.contract.setting import PROVIDER_KEY
from tests.contract.test_npm_sdk import installed
from tests.fakes.openai_upstream import FakeOpenAI
from tests.installs import BIN, node_environment
from tests.live import Live, serving, settings_for

PAGE = "https://writingmate.ai/api/openai/v1"
KEY = "YOUR_WRITINGMATE_DEVELOPER_KEY"

MODELS = r"""
curl https://writingmate.ai/api/openai/v1/models \
  -H "Authorization: Bearer YOUR_WRITINGMATE_DEVELOPER_KEY"
"""
CHAT = r"""
curl https://writingmate.ai/api/openai/v1/chat/completions \
  -H "Authorization: Bearer YOUR_WRITINGMATE_DEVELOPER_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "model": "google/gemini-2.5-flash",
    "messages": [
      { "role": "system", "content": "Be concise." },
      { "role": "user", "content": "Summarize Writingmate in one sentence." }
    ]
  }'
"""
COMPLETIONS = r"""
curl https://writingmate.ai/api/openai/v1/completions \
  -H "Authorization: Bearer YOUR_WRITINGMATE_DEVELOPER_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "model": "google/gemini-2.5-flash",
    "prompt": "Reply with exactly: HELLO_FROM_WRITINGMATE"
  }'
"""
RESPONSES = r"""
curl https://writingmate.ai/api/openai/v1/responses \
  -H "Authorization: Bearer YOUR_WRITINGMATE_DEVELOPER_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "model": "google/gemini-2.5-flash",
    "input": "Reply with exactly: HELLO_FROM_RESPONSES"
  }'
"""
PYTHON = """
from openai import OpenAI

client = OpenAI(
    api_key="YOUR_WRITINGMATE_DEVELOPER_KEY",
    base_url="https://writingmate.ai/api/openai/v1",
)

response = client.chat.completions.create(
    model="google/gemini-2.5-flash",
    messages=[
        {"role": "user", "content": "Reply with exactly: HELLO_FROM_PYTHON"}
    ],
)

print(response.choices[0].message.content)
"""
JAVASCRIPT = """
import OpenAI from "openai";

const client = new OpenAI({
  apiKey: process.env.WRITINGMATE_API_KEY,
  baseURL: "https://writingmate.ai/api/openai/v1",
});

const response = await client.responses.create({
  model: "google/gemini-2.5-flash",
  input: "Say hello from Writingmate.",
});

console.log(response.output_text);
"""


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    """A gateway that serves the page's model through OpenRouter, as configured by its usual variables."""
    async with FakeOpenAI(key=PROVIDER_KEY) as fake:
        environ = {"OPENROUTER_API_KEY": PROVIDER_KEY, "OPENROUTER_BASE_URL": fake.base_url}
        with serving(settings_for(tmp_path, environ=environ)) as running:
            yield running


async def run(live: Live, line: str) -> tuple[http.client.HTTPResponse, Any]:
    """Do what a curl line says, as a shell and curl read it."""
    program, *words = shlex.split(line.replace(PAGE, live.api).replace(KEY, live.key))
    assert program == "curl"
    where = urlsplit(words[0])
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    body = words[words.index("-d") + 1] if "-d" in words else None

    def send() -> tuple[http.client.HTTPResponse, Any]:
        connection = http.client.HTTPConnection(where.hostname or "", where.port)
        connection.request("POST" if body else "GET", where.path, body, headers)
        answer = connection.getresponse()
        document = json.loads(answer.read())
        connection.close()
        return answer, document

    return await asyncio.to_thread(send)


async def test_models(live: Live) -> None:
    answer, document = await run(live, MODELS)
    assert answer.status == 200
    slugs = {model["id"] for model in document["data"]}
    page = {
        "google/gemini-2.5-flash",
        "google/gemini-2.5-pro",
        "openai/gpt-5-mini",
        "anthropic/claude-sonnet-4.5",
    }
    assert page <= slugs


async def test_chat(live: Live) -> None:
    answer, document = await run(live, CHAT)
    assert answer.status == 200
    assert document["choices"][0]["message"]["content"]
    assert answer.headers["x-writingmate-counted-messages"] == "1"
    assert answer.headers["x-writingmate-route"] == "openrouter/google/gemini-2.5-flash"


async def test_completions(live: Live) -> None:
    answer, document = await run(live, COMPLETIONS)
    assert answer.status == 200
    assert document["choices"][0]["text"] == "HELLO_FROM_WRITINGMATE"


async def test_responses(live: Live) -> None:
    answer, document = await run(live, RESPONSES)
    assert answer.status == 200
    assert document["output"][0]["content"][0]["text"] == "HELLO_FROM_RESPONSES"
    assert answer.headers["x-writingmate-counted-messages"] == "1"


async def test_javascript(live: Live) -> None:
    environ = node_environment(WRITINGMATE_API_KEY=live.key)
    example = JAVASCRIPT.replace(PAGE, live.api)
    modules = await asyncio.to_thread(installed)
    script = modules / f"page-{live.key.split('.')[1]}.mjs"
    await asyncio.to_thread(script.write_text, example)
    try:
        pipe = asyncio.subprocess.PIPE
        node = await asyncio.create_subprocess_exec(
            str(BIN / "node"), str(script), env=environ, stdout=pipe, stderr=pipe
        )
        out, err = await node.communicate()
    finally:
        await asyncio.to_thread(script.unlink)
    assert node.returncode == 0, err.decode()
    assert out.decode() == "You said: Say hello from Writingmate.\n"


async def test_python(live: Live) -> None:
    printed = io.StringIO()
    example = PYTHON.replace(PAGE, live.api).replace(KEY, live.key)

    def execute() -> None:
        with contextlib.redirect_stdout(printed):
            exec(compile(example, "the page", "exec"), {})  # noqa: S102  # the page's own words, above

    await asyncio.to_thread(execute)
    assert printed.getvalue() == "HELLO_FROM_PYTHON\n"
