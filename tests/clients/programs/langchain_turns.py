"""Turns by LangChain. ``chat`` or ``responses`` says over what; BASE_URL and API_KEY, to whom."""

from __future__ import annotations

import json
import os
import sys
from functools import reduce
from operator import add
from typing import Any


def tool(name: str) -> dict[str, Any]:
    """A function tool with one argument."""
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    described = {"name": name, "description": f"Look up the {name}", "parameters": parameters}
    return {"type": "function", "function": described}


PLACE = {
    "title": "Place",
    "description": "A place",
    "type": "object",
    "properties": {"name": {"type": "string"}, "inhabitants": {"type": "integer"}},
    "required": ["name", "inhabitants"],
    "additionalProperties": False,
}


def tokens(message: Any) -> list[int]:
    """What a message says of its usage: prompt and answer."""
    return [message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"]]


def calls(message: Any) -> list[list[Any]]:
    """The tools a message calls."""
    return [[call["name"], call["args"]] for call in message.tool_calls]


def main() -> None:
    """Take every turn and print what came of it."""
    from langchain_core.messages import HumanMessage, ToolMessage  # noqa: PLC0415  # not in the tests' environment
    from langchain_openai import ChatOpenAI  # noqa: PLC0415  # the same

    model = ChatOpenAI(
        model="google/gemini-2.5-flash",
        api_key=os.environ["API_KEY"],
        base_url=os.environ["BASE_URL"],
        use_responses_api=sys.argv[1] == "responses",
        stream_usage=True,
        max_retries=0,
    )
    seen: dict[str, Any] = {}
    reply = model.invoke("Reply with exactly: HELLO")
    seen["invoke"] = {"text": reply.text, "tokens": tokens(reply)}
    pieces = list(model.stream("Reply with exactly: one two three"))
    whole = reduce(add, pieces)
    said = [piece for piece in pieces if piece.text]
    seen["stream"] = {"text": whole.text, "pieces": len(said), "tokens": tokens(whole)}
    bound = model.bind_tools([tool("weather"), tool("population")])
    question = HumanMessage("weather and population of Paris")
    called = bound.invoke([question])
    seen["tools"] = calls(called)
    results = [
        ToolMessage(f"{call['name']} of {call['args']['city']}", tool_call_id=call["id"])
        for call in called.tool_calls
    ]
    seen["after_tools"] = bound.invoke([question, called, *results]).text
    seen["tools_streamed"] = calls(reduce(add, bound.stream([question])))
    seen["structured"] = model.with_structured_output(PLACE, method="json_schema").invoke("Where?")
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
