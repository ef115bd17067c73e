from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metering.prompts import files
from writingmate.metering.prompts import papers, sound
from writingmate.metering.prompts.papers import paper


@pytest.mark.parametrize("packed", [False, True])
def test_a_pdf_has_pages_and_the_characters_they_draw(packed: bool) -> None:  # noqa: FBT001  # a parameter
    read = paper(files.pdf(3, b"twenty characters ok", packed=packed))
    assert read is not None
    assert read.pages == 3
    assert 3 * 25 <= read.text <= 3 * 32


def test_brackets_in_a_string_are_part_of_it() -> None:
    read = paper(files.pdf(1, rb"one (two) \) three"))
    assert read is not None
    assert read.text >= len(rb"one (two) \) three")


@pytest.mark.parametrize(
    "data",
    [
        files.pdf(2).replace(b"%%EOF", b"/Encrypt 5 0 R %%EOF"),
        files.pdf(2, filters=b"/LZWDecode"),
        files.pdf(2, filters=b"[/ASCII85Decode /FlateDecode]"),
        files.pdf(0),
        files.pdf(1)[:-60].replace(b"x\x9c", b"no"),
        b"%PDF-1.4",
        b"",
    ],
)
def test_what_hides_its_pages_has_no_count(data: bytes) -> None:
    assert paper(data) is None


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(papers, "UNPACKED", 1_000_000)
    assert paper(files.pdf(1, b"a" * 2_000_000)) is None
    assert paper(files.pdf(1, b"a" * 400_000)) is not None


@pytest.mark.parametrize("nasty", [b"(", b"(a", b"<41", b"\\(", b"(a(b", b"stream\n", b"/Type /Page ", b"()"])
def test_no_pdf_takes_long(nasty: bytes) -> None:
    content = nasty * (4_000_000 // len(nasty))
    begun = time.perf_counter()
    paper(files.pdf(1, content))
    paper(b"%PDF-" + content)
    assert time.perf_counter() - begun < 4  # well under one on a quiet machine


@given(st.binary(max_size=2_000))
def test_any_bytes_are_a_pdf_or_none(data: bytes) -> None:
    for whole in (data, files.stream(b"", data, b"/FlateDecode"), files.stream(b"", data, b"/None")):
        read = paper(whole)
        assert read is None or read.pages > 0


def test_a_wav_says_how_long_it_is() -> None:
    assert sound.seconds(files.wav(7)[:200], len(files.wav(7))) in {7, 8}


@pytest.mark.parametrize(
    ("head", "form", "a_second"),
    [
        (b"ID3", "", sound.MP3),
        (b"\xff\xfb\x90", "", sound.MP3),
        (b"?", "mp3", sound.MP3),
        (b"OggS", "ogg", sound.ANY),
        (b"RIFF\0\0\0\0WAVEdata", "wav", sound.ANY),
        (files.wav(1).replace(b"\x01\0\x01\0", b"\x11\0\x01\0", 1), "wav", sound.ANY),  # packed samples
    ],
)
def test_other_sound_is_taken_for_the_longest_of_its_length(head: bytes, form: str, a_second: int) -> None:
    assert sound.seconds(head, 60 * a_second, form) == 60


@given(st.binary(max_size=200))
def test_any_bytes_last_a_while(rest: bytes) -> None:
    assert sound.seconds(b"RIFF\0\0\0\0WAVE" + rest, 1_000) >= 0
