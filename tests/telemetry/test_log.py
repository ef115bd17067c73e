from __future__ import annotations

import ast
import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import writingmate
from writingmate.errors import ConfigurationError, NotFound, Unavailable, UpstreamBroken, UpstreamRefused
from writingmate.telemetry import log
from writingmate.telemetry.events import EVENTS, FAILURE

PLANTED = "wm_v2.k7Qz.9fQ2k1LmZ8xV4bN7cT5yR3wE6uI0oPaS.c2ln"


class Terminal(io.TextIOWrapper):
    def __init__(self, *, people: bool = False) -> None:
        self.raw_bytes = io.BytesIO()
        super().__init__(self.raw_bytes, encoding="utf-8")
        self._people = people

    def isatty(self) -> bool:
        return self._people

    def text(self) -> str:
        log.flush()
        return self.raw_bytes.getvalue().decode()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]

    def line(self) -> dict[str, Any]:
        (line,) = self.lines()
        return line


@pytest.fixture
def out() -> Iterator[Terminal]:
    terminal = Terminal()
    log.start(terminal)
    yield terminal
    log.stop()


def test_a_line_is_json_with_time_level_and_event_first(out: Terminal) -> None:
    log.event("request", request_id="req_1", status=200, ms=1.5, streaming=True, code=None)
    line = out.line()
    assert list(line)[:3] == ["time", "level", "event"]
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "event": "request",
        "request_id": "req_1",
        "status": 200,
        "ms": 1.5,
        "streaming": True,
        "code": None,
    }


def test_the_time_is_now_to_the_millisecond(monkeypatch: pytest.MonkeyPatch, out: Terminal) -> None:
    for now in (1_763_848_800.0, 1_763_848_800.9996, 1_763_848_801.25):
        monkeypatch.setattr("writingmate.telemetry.log.time.time", lambda now=now: now)
        log.event("ready")
    assert [line["time"] for line in out.lines()] == [
        "2025-11-22T22:00:00.000Z",
        "2025-11-22T22:00:00.999Z",
        "2025-11-22T22:00:01.250Z",
    ]


def test_fields_that_are_not_listed_are_named_and_not_shown(out: Terminal) -> None:
    log.event("request", request_id="req_1", prompt="what I said", authorization=PLANTED)
    line = out.line()
    assert line["unlisted"] == ["authorization", "prompt"]
    assert line["request_id"] == "req_1"
    assert "what I said" not in out.text()
    assert PLANTED not in out.text()


def test_an_unknown_event_shows_nothing_but_its_name(out: Terminal) -> None:
    log.event("mistyped", status=1)
    assert out.line()["event"] == "mistyped"
    assert out.line()["unlisted"] == ["status"]


def test_values_without_a_json_form_are_named_by_type(out: Terminal) -> None:
    log.event("starting", host=object(), data_dir=Path("x"))
    assert out.line()["host"] == "object"


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause  # noqa: TRY301  # for its traceback
    except BaseException as caught:  # noqa: BLE001  # handed to the test
        return caught


def test_a_failure_says_what_and_where(out: Terminal) -> None:
    log.failure("job_failed", raised(UpstreamBroken("ended early"), OSError(5, "x")), job="sweep")
    line = out.line()
    assert (line["level"], line["job"], line["detail"]) == ("error", "sweep", "ended early")
    assert line["error"] == "UpstreamBroken < OSError"
    assert line["where"].startswith("telemetry/test_log.py:")
    assert line["where"].endswith(" raised")


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (NotFound(f"The model `{PLANTED}` does not exist", code="model_not_found"), "model_not_found"),
        (Unavailable("x"), "unavailable"),
        (ConfigurationError(f"bad key {PLANTED}"), "bad key [key]"),
        (UpstreamBroken("no answer from https://u:p@api.example.com/v1"), "no answer from [address]"),
        (OSError(13, "Permission denied", f"/data/{PLANTED}"), "Permission denied"),
        (ValueError(f"what the caller wrote, {PLANTED}"), None),
        (KeyError(PLANTED), None),
    ],
)
def test_words_are_shown_only_where_they_are_ours(
    out: Terminal, error: Exception, detail: str | None
) -> None:
    log.failure("upstream_failed", raised(error), request_id="req_1")
    assert out.line().get("detail") == detail
    assert PLANTED not in out.text()


def test_a_refusal_keeps_its_status_and_nothing_of_its_body(out: Terminal) -> None:
    log.failure("upstream_failed", UpstreamRefused(401, {"x": PLANTED}, PLANTED.encode()), provider="openai")
    line = out.line()
    assert (line["status"], line["detail"], line["provider"]) == (401, "answered 401", "openai")
    assert PLANTED not in out.text()


def test_errors_are_written_at_once_by_the_thread() -> None:
    written = threading.Event()
    terminal = Terminal()
    log.start(terminal)
    try:
        log._log.sink._write = lambda _: written.set()  # type: ignore[union-attr]  # started above
        log.failure("crashed", ValueError())
        assert written.wait(5)
    finally:
        log.stop()


def test_nothing_is_lost_or_mixed_between_threads(out: Terminal) -> None:
    def many(thread: int) -> None:
        for number in range(500):
            log.event("request", request_id=f"{thread}-{number}")

    threads = [threading.Thread(target=many, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [line["request_id"] for line in out.lines()]
    assert len(set(ids)) == len(ids) == 4000
    for thread_number in range(8):
        own = [item for item in ids if item.startswith(f"{thread_number}-")]
        assert own == [f"{thread_number}-{number}" for number in range(500)]


def test_stopping_writes_the_rest() -> None:
    terminal = Terminal()
    log.start(terminal)
    log.event("stopped")
    log.stop()
    assert terminal.line()["event"] == "stopped"
    log.event("ready")
    log.flush()
    assert len(terminal.lines()) == 1


def test_before_the_start_nothing_happens() -> None:
    log.event("request", request_id="x")
    log.failure("crashed", ValueError())
    assert log.dropped() == 0


def test_libraries_speak_through_it_redacted(out: Terminal) -> None:
    logging.getLogger("uvicorn.error").warning("Invalid key %s from %s", PLANTED, "10.0.0.1:5000")
    line = out.line()
    assert (line["event"], line["level"], line["severity"]) == ("library", "info", "warning")
    assert (line["logger"], line["detail"]) == ("uvicorn.error", "Invalid key [key] from [address]")


def test_a_librarys_exception_is_shown_by_type_and_place(out: Terminal) -> None:
    logging.getLogger("asyncio").error("Task failed", exc_info=raised(ValueError(PLANTED)))
    line = out.line()
    assert (line["event"], line["error"], line["detail"]) == ("library_failed", "ValueError", "Task failed")
    assert PLANTED not in out.text()


def test_a_librarys_broken_message_breaks_nothing(out: Terminal) -> None:
    assert log._log.libraries is not None
    log._log.libraries.emit(logging.LogRecord("x", logging.WARNING, "", 0, "%d", (PLANTED,), None))
    assert out.line()["detail"] == "a message whose arguments do not fit"


def test_chatter_below_warning_is_left_out(out: Terminal) -> None:
    logging.getLogger("uvicorn.error").info("Started server process")
    assert out.text() == ""


def test_libraries_are_let_go_at_the_end() -> None:
    log.start(Terminal())
    own = log._log.libraries
    log.stop()
    assert own not in logging.getLogger().handlers


def test_people_get_words() -> None:
    terminal = Terminal(people=True)
    log.start(terminal)
    log.event("request", status=200, endpoint="chat.completions", flags=["byok"])
    log.event("notice", detail="two words\x1b[31m")
    log.stop()
    first, second = terminal.text().splitlines()
    assert first[8:] == ' request status=200 endpoint=chat.completions flags=["byok"]'
    assert second[8:] == ' warning: notice detail="two words\\u001b[31m"'


def test_a_terminal_that_went_away_stops_nothing() -> None:
    terminal = Terminal()
    log.start(terminal)
    terminal.raw_bytes.close()
    log.event("ready")
    log.flush()
    assert log.dropped() == 1
    log.stop()


def calls() -> Iterator[tuple[str, ast.Call]]:
    for file in sorted(Path(next(iter(writingmate.__path__))).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr="event" | "failure")):
                    yield f"{file.name}:{node.lineno}", node


def test_every_event_in_the_code_is_listed_with_its_fields() -> None:
    found = list(calls())
    assert found
    for place, call in found:
        name = call.args[0]
        assert isinstance(name, ast.Constant), place
        assert isinstance(name.value, str), place
        assert name.value in EVENTS, f"{place}: {name.value!r} is not in telemetry/events.py"
        given = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
        assert given <= EVENTS[name.value].fields | FAILURE, place
