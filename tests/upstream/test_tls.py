"""TLS with a certificate of our own: verified, by name, and refused where it should be."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.upstream.calls import body, chat, frames, post, until
from tests.upstream.raw_server import closing, serving, whole
from writingmate.errors import UpstreamBroken, UpstreamUnreachable
from writingmate.upstream.client import HttpClient


@dataclass(frozen=True)
class Certificate:
    """Made for ``localhost`` alone, signed by itself."""

    cert: Path
    key: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.cert))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("tls")
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(made.key), "-out", str(made.cert)]
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subprocess.run([*new, "-nodes", "-days", "2", *subject, *files], check=True, capture_output=True)
    return made


async def test_a_trusted_server(certificate: Certificate) -> None:
    names: list[str | None] = []
    context = certificate.server()
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    client = HttpClient(tls=certificate.client())
    async with FakeOpenAI(tls=context) as fake:
        url = f"https://localhost:{fake.port}/v1/chat/completions"
        for _ in range(2):
            assert b"one two three" in await body(client, post(url, chat(fake).body))
        assert len(await frames(client, post(url, chat(fake, stream=True).body, stream=True))) == 6
        assert (fake.connections, names) == (1, ["localhost"])
        fake.script(Fault(stall=1))
        with pytest.raises(ZeroDivisionError):
            async with client.open(post(url, chat(fake, stream=True).body, stream=True)):
                raise ZeroDivisionError
        await fake.calls[-1].over.wait()
        assert fake.calls[-1].hung_up
        await client.close()


async def test_another_name(certificate: Certificate) -> None:
    client = HttpClient(tls=certificate.client())
    async with FakeOpenAI(tls=certificate.server()) as fake:
        with pytest.raises(UpstreamUnreachable, match="certificate is not trusted"):
            await body(client, chat(fake))
        assert fake.calls == []
    await client.close()


async def test_an_unknown_authority(client: HttpClient, certificate: Certificate) -> None:
    async with FakeOpenAI(tls=certificate.server()) as fake:
        with pytest.raises(UpstreamUnreachable, match="certificate is not trusted"):
            await body(client, post(f"https://localhost:{fake.port}/v1/models"))
        assert fake.calls == []


async def test_a_server_that_does_not_speak_tls(client: HttpClient, fake: FakeOpenAI) -> None:
    with pytest.raises(UpstreamUnreachable):
        await body(client, post(f"https://localhost:{fake.port}/v1/models"))


async def test_the_context_is_made_once_whoever_gives_up(client: HttpClient) -> None:
    first = asyncio.create_task(client._tls.context())
    second = asyncio.create_task(client._tls.context())
    await until(lambda: client._tls._making is not None)
    first.cancel()
    made = await second
    assert made is await client._tls.context()
    assert (made.verify_mode, made.check_hostname) == (ssl.CERT_REQUIRED, True)


async def test_a_body_cut_under_tls(certificate: Certificate) -> None:
    client = HttpClient(tls=certificate.client())
    async with serving(closing(whole(b"x" * 100)[:-50]), tls=certificate.server()) as server:
        with pytest.raises(UpstreamBroken, match="inside the answer's body"):
            await body(client, post(f"https://localhost:{server.port}/"))
    await client.close()
