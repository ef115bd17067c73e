"""The npm SDK under the Node that a wheel carries: js/openai.mjs runs the cases, its output is compared."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.setting import CHAT, FAULTS, TEXT, Setting
from tests.installs import BIN, node_environment, npm_packages

pytestmark = pytest.mark.asyncio(loop_scope="module")

PACKAGES = {"openai": "6.49.0", "zod": "4.1.13"}
SCRIPT = Path(__file__).parent / "js" / "openai.mjs"
CALLS = [["weather", {"city": "Paris"}], ["population", {"city": "Paris"}]]


def installed() -> Path:
    """The folder above the SDK's ``node_modules``."""
    return npm_packages(PACKAGES)


async def _seen(setting: Setting) -> dict[str, Any]:
    environ = node_environment(
        MODULES=str(await asyncio.to_thread(installed)),
        BASE_URL=setting.base_url,
        API_KEY=setting.key,
        CHAT_MODEL=CHAT,
        TEXT_MODEL=TEXT,
        FAULTS=json.dumps({name: failure.model for name, failure in FAULTS.items()}),
    )
    pipe = asyncio.subprocess.PIPE
    node = await asyncio.create_subprocess_exec(
        str(BIN / "node"), str(SCRIPT), env=environ, stdout=pipe, stderr=pipe
    )
    out, err = await node.communicate()
    assert node.returncode == 0, err.decode()
    seen: dict[str, Any] = json.loads(out)
    return seen


def _error(name: str, status: int, type_: str, code: str | None, param: str | None = None) -> dict[str, Any]:
    return {"error": name, "status": status, "type": type_, "code": code, "param": param, "request": True}


INVALID = "invalid_request_error"
EXPECTED: dict[str, Any] = {
    "models": {"listed": True, "id": CHAT, "object": "model"},
    "chat": {"text": "HELLO FROM NODE", "finish": "stop", "total": True, "request": True},
    "chat_stream": {"text": "one two three", "finish": "stop", "usage": None, "chunks": True},
    "chat_stream_usage": {"text": "one two three", "finish": "stop", "usage": True, "chunks": True},
    "chat_stream_helper": {"text": "folded up"},
    "chat_abort": {"aborted": True},
    "tools": {"finish": "tool_calls", "content": None, "calls": CALLS},
    "tools_stream": {"calls": CALLS},
    "run_tools": {"text": "You said: weather of Paris", "roles": ["user", "assistant", "tool", "assistant"]},
    "structured": {"name": "Paris", "inhabitants": 7},
    "completions": {"text": "HELLO", "object": "text_completion", "finish": "stop"},
    "completions_stream": {"text": "a b c", "finish": "stop", "usage": None, "chunks": True},
    "response": {"text": "HELLO", "status": "completed", "total": True},
    "response_stream": {"text": "one two three", "last": "response.completed", "gapless": True},
    "response_tools": {"calls": CALLS, "text": "You said: weather and population of Paris"},
    "response_structured": {"name": "Paris", "inhabitants": 7},
    "response_kept": {"texts": ["ONE", "TWO"], "listed": ["user", "assistant", "user"], "same": True},
    "response_not_kept": _error(
        "BadRequestError", 400, INVALID, "previous_response_not_found", "previous_response_id"
    ),
    "no_such_key": _error("AuthenticationError", 401, INVALID, "invalid_api_key"),
    "no_such_workspace": _error("PermissionDeniedError", 403, "permission_error", "workspace_not_accessible"),
    "no_such_model": _error("NotFoundError", 404, INVALID, "model_not_found"),
    "no_such_model_to_see": _error("NotFoundError", 404, INVALID, "model_not_found", "model"),
    "wrong_type": _error("BadRequestError", 400, INVALID, "invalid_type", "temperature"),
    "missing": _error("BadRequestError", 400, INVALID, "missing_required_parameter", "messages"),
}


async def test_every_case(setting: Setting) -> None:
    seen = await _seen(setting)
    for name, failure in FAULTS.items():
        got = seen.pop(name)
        raised = failure.raises.replace("APIStatusError", "APIError")
        assert (got["error"], got["status"], got["type"]) == (raised, failure.status, failure.type), name
        assert got["request"], name
    assert seen == EXPECTED
