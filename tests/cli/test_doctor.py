from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import Commands
from tests.fakes.anthropic_upstream import FakeAnthropic
from tests.fakes.gemini_upstream import FakeGemini
from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.fakes.openrouter import FakeOpenRouter
from writingmate.local import rows

KEY = "sk-planted-0123456789"


async def examined(commands: Commands, *, status: int = 0) -> dict[str, dict[str, Any]]:
    """Findings by what was checked; in a thread, since the fake provider needs this one's loop."""
    found = await asyncio.to_thread(commands.json, "doctor", status=status)
    return {finding["check"]: finding for finding in found}


async def test_a_server_that_has_all_it_needs_is_well(commands: Commands) -> None:
    async with FakeOpenAI(key=KEY) as fake:
        commands.environ |= {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": fake.base_url}
        found = await examined(commands)
    assert {finding["status"] for finding in found.values()} == {"ok", "note"}
    assert found["provider openai"]["detail"].endswith("3 text models")
    assert found["database"]["detail"] == "sqlite, schema revision 0004"
    assert found["identity"]["detail"] == "1 users, 1 developer keys, 1 signing keys"
    assert [call.path for call in fake.calls] == ["/v1/models"]


async def test_anthropic_is_asked_in_its_own_way(commands: Commands) -> None:
    async with FakeAnthropic(key=KEY) as fake:
        commands.environ |= {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": fake.host}
        found = await examined(commands)
        commands.environ |= {"ANTHROPIC_API_KEY": "sk-ant-another"}
        refused = await examined(commands, status=1)
    assert found["provider anthropic"]["detail"].endswith("/v1/models: 3 text models")
    assert "check ANTHROPIC_API_KEY" in refused["provider anthropic"]["advice"]


async def test_google_is_asked_in_its_own_way(commands: Commands) -> None:
    async with FakeGemini(key=KEY) as fake:
        commands.environ |= {"GEMINI_API_KEY": KEY, "GEMINI_BASE_URL": fake.host}
        found = await examined(commands)
        commands.environ |= {"GEMINI_API_KEY": "AIza-another"}
        refused = await examined(commands, status=1)
    assert found["provider google"]["detail"].endswith("/v1beta/models?pageSize=1000: 3 text models")
    assert "check GEMINI_API_KEY" in refused["provider google"]["advice"]


async def test_a_refused_key_an_odd_answer_and_a_silent_host_say_what_to_do(commands: Commands) -> None:
    async with FakeOpenAI(key="sk-the-right-one-0123") as fake, FakeOpenAI() as odd:
        odd.script(Fault(content_type="text/html", body=b"<html>"))
        commands.environ |= {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": fake.base_url}
        commands.environ |= {"GROQ_API_KEY": KEY, "GROQ_BASE_URL": odd.base_url}
        commands.environ |= {"VLLM_BASE_URL": "http://127.0.0.1:9/v1"}
        found = await examined(commands, status=1)
        printed = await asyncio.to_thread(commands.run, "doctor", status=1)
    assert "check OPENAI_API_KEY" in found["provider openai"]["advice"]
    assert "did not answer with a list of models" in found["provider groq"]["detail"]
    assert "VLLM_BASE_URL" in found["provider vllm"]["advice"]
    broken = {name for name, finding in found.items() if finding["status"] == "broken"}
    assert broken == {"provider openai", "provider groq", "provider vllm"}
    assert KEY not in printed + str(found)
    assert "→ It does not accept the key" in printed


def test_before_init_it_says_to_run_init(bare: Commands) -> None:
    found = {finding["check"]: finding for finding in bare.json("doctor", status=1)}
    assert found["data folder"]["advice"] == "Run `writingmate init`."
    assert "writingmate init" in found["database"]["detail"]
    assert not bare.data_dir.exists()


def test_a_wrong_setting_is_a_finding(commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("prot = 80")
    commands.environ["WRITINGMATE_SETTINGS"] = str(tmp_path / "wrong.toml")
    (found,) = commands.json("doctor", status=1)
    assert found["check"] == "settings"
    assert "prot" in found["detail"]


def test_a_wrong_provider_section_is_a_finding(commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("[providers.mine]\n")
    commands.environ["WRITINGMATE_SETTINGS"] = str(tmp_path / "wrong.toml")
    found = {finding["check"]: finding for finding in commands.json("doctor", status=1)}
    assert "base_url is missing" in found["providers"]["detail"]


@pytest.mark.parametrize(
    "url", ["postgresql://postgres:hunter22@127.0.0.1:1/none", "mysql://root:hunter22@h/x"]
)
def test_a_database_out_of_reach_is_a_finding_without_its_password(commands: Commands, url: str) -> None:
    commands.environ["WRITINGMATE_DATABASE_URL"] = url
    found = {finding["check"]: finding for finding in commands.json("doctor", status=1)}
    assert found["database"]["status"] == "broken"
    assert "hunter22" not in str(found)


@pytest.mark.parametrize(
    ("installed", "status", "words"),
    [(True, "ok", "downloaded when the server starts"), (False, "note", "installed")],
)
def test_embedded_models_are_looked_for(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, *, installed: bool, status: str, words: str
) -> None:
    monkeypatch.setattr(rows, "available", lambda: installed)
    commands.environ["WRITINGMATE_LOCAL"] = "on"
    found = {finding["check"]: finding for finding in commands.json("doctor")}["embedded models"]
    assert found["status"] == status
    assert words in found["detail"]


async def test_openrouters_key_is_tried_though_its_list_is_public(commands: Commands) -> None:
    async with FakeOpenRouter(key="sk-or-v1-0123456789") as openrouter:
        commands.environ |= {"OPENROUTER_BASE_URL": openrouter.base_url, "OPENROUTER_API_KEY": "sk-or-v1-no"}
        refused = await examined(commands, status=1)
        commands.environ["OPENROUTER_API_KEY"] = "sk-or-v1-0123456789"
        well = await examined(commands)
        openrouter.script(Fault(status=404), path="/v1/key")
        elsewhere = await examined(commands)
    assert "check OPENROUTER_API_KEY" in refused["provider openrouter"]["advice"]
    assert well["provider openrouter"]["detail"].endswith("/v1/models: 1 text models")
    assert elsewhere["provider openrouter"]["status"] == "ok"
