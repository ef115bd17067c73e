"""Reading the child's stream: what is new of each choice, and what all of them used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from writingmate.errors import UpstreamBroken
from writingmate.local.calls import Call, Finder
from writingmate.local.requests import Request
from writingmate.types import Usage
from writingmate.wire import sse


@dataclass(slots=True)
class Delta:
    """What is new of a choice. ``finish`` is its finish_reason, when it is over."""

    index: int
    text: str = ""
    logprobs: list[Any] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    finish: str | None = None


class _Choice:
    """One choice on its way: what is told apart from calls of tools, and its logprobs with it."""

    def __init__(self, index: int, request: Request) -> None:
        self.finished = False
        self._index = index
        self._toolbox = request.toolbox
        self._finder = Finder(request.toolbox.functions) if request.toolbox.functions else None
        self._logprobs: list[Any] = []

    def feed(self, text: str, logprobs: list[Any]) -> Delta:
        decided = self._finder.feed(text) if self._finder else text
        self._logprobs += logprobs
        return self._delta(decided) if decided else Delta(self._index)

    def finish(self, reason: str) -> Delta:
        self.finished = True
        text, calls = self._finder.end(cut=reason == "length") if self._finder else ("", [])
        if calls:
            calls = calls if self._toolbox.parallel and not self._toolbox.required else calls[:1]
            return Delta(self._index, calls=calls, finish="tool_calls")
        delta = self._delta(text)
        delta.finish = reason
        return delta

    def _delta(self, text: str) -> Delta:
        logprobs, self._logprobs = self._logprobs, []
        return Delta(self._index, text, logprobs)


class Reading:
    """Reads the child's frames. Raises UpstreamBroken for what it should not say."""

    def __init__(self, request: Request) -> None:
        self.usage = Usage()
        self._request = request
        self._choices = [_Choice(index, request) for index in range(request.choices)]

    def read(self, frames: Iterable[bytes]) -> Iterator[Delta]:
        """What is new in these frames."""
        for frame in frames:
            data = sse.data(frame)
            if data == b"[DONE]":
                continue
            try:
                yield from self._chunk(msgspec.json.decode(data))
            except (msgspec.DecodeError, KeyError, IndexError, TypeError, AttributeError):
                raise UpstreamBroken("the local model's process sent what is no chunk") from None

    def end(self) -> None:
        """The stream is over. Raises UpstreamBroken if it ended before its choices did."""
        if not all(choice.finished for choice in self._choices):
            raise UpstreamBroken("the local model's process stopped in the middle of an answer")

    def _chunk(self, said: Any) -> Iterator[Delta]:  # noqa: ANN401  # the child's JSON
        if "error" in said:
            raise UpstreamBroken(f"the local model's process failed: {said['error'].get('type')}")
        if said.get("usage"):
            self._add(said["usage"])
        for choice in said["choices"]:
            yield from self._news(choice)

    def _add(self, said: dict[str, Any]) -> None:
        """One choice's usage: the prompt was read once for all of them."""
        cached = (said.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
        self.usage = Usage(
            prompt_tokens=said["prompt_tokens"],
            completion_tokens=self.usage.completion_tokens + said["completion_tokens"],
            cached_tokens=max(self.usage.cached_tokens, cached),
        )

    def _news(self, said: Any) -> Iterator[Delta]:  # noqa: ANN401  # the child's JSON
        choice = self._choices[said["index"]]
        logprobs = (said.get("logprobs") or {}).get("content") or []
        yield choice.feed(said["delta"].get("content") or "", [self._token(each) for each in logprobs])
        if said.get("finish_reason"):
            yield choice.finish("length" if said["finish_reason"] == "length" else "stop")

    def _token(self, said: dict[str, Any]) -> dict[str, Any]:
        """One token's logprobs without the child's own ids, and with no more alternatives than asked for."""
        top = said["top_logprobs"][: self._request.alternatives or 0]
        return {**_logprob(said), "top_logprobs": [_logprob(each) for each in top]}


def _logprob(said: dict[str, Any]) -> dict[str, Any]:
    return {"token": said["token"], "logprob": said["logprob"], "bytes": said["bytes"]}
