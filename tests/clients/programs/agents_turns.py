"""Turns by the OpenAI Agents SDK. ``chat`` or ``responses`` says over what; BASE_URL and API_KEY, to whom."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from pydantic import BaseModel


class Place(BaseModel):
    """What a structured answer holds."""

    name: str
    inhabitants: int


def weather(city: str) -> str:
    """Look up the weather of a city."""
    return f"sunny in {city}"


async def main() -> None:
    """Take every turn and print what came of it."""
    import agents  # noqa: PLC0415  # not in the tests' environment
    from openai import AsyncOpenAI  # noqa: PLC0415  # as the SDK's own environment has it

    agents.set_tracing_disabled(disabled=True)
    kinds = {"chat": agents.OpenAIChatCompletionsModel, "responses": agents.OpenAIResponsesModel}
    client = AsyncOpenAI(base_url=os.environ["BASE_URL"], api_key=os.environ["API_KEY"], max_retries=0)
    model = kinds[sys.argv[1]](model="google/gemini-2.5-flash", openai_client=client)
    plain = agents.Agent(name="Plain", instructions="Be concise.", model=model)
    settings = agents.ModelSettings(include_usage=True)
    able = agents.Agent(
        name="Able",
        instructions="Use the tools.",
        model=model,
        model_settings=settings,
        tools=[agents.function_tool(weather)],
    )
    seen: dict[str, Any] = {}
    seen["run"] = (await agents.Runner.run(plain, "Reply with exactly: HELLO")).final_output
    streamed = agents.Runner.run_streamed(plain, "Reply with exactly: one two three")
    deltas = [
        event.data.delta
        async for event in streamed.stream_events()
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
    ]
    seen["streamed"] = [streamed.final_output, deltas]
    question = "How is the weather of Paris?"
    ran = await agents.Runner.run(able, question)
    usage = ran.context_wrapper.usage
    seen["tools"] = [ran.final_output, [item.type for item in ran.new_items], usage.requests]
    seen["tokens"] = [usage.input_tokens, usage.output_tokens]
    streamed = agents.Runner.run_streamed(able, question)
    items = [event async for event in streamed.stream_events() if event.type == "run_item_stream_event"]
    seen["tools_streamed"] = [streamed.final_output, [item.name for item in items]]
    judge = agents.Agent(name="Judge", model=model, output_type=Place)
    seen["structured"] = (await agents.Runner.run(judge, "Where?")).final_output.model_dump()
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(main())
