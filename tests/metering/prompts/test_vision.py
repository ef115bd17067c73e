from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metering.prompts import files
from writingmate.dialects.attachments import IMAGE
from writingmate.metering.prompts import pictures
from writingmate.metering.prompts.families import ANY, ROWS, Family, family
from writingmate.metering.prompts.vision import Size

DETAILS = ("", "auto", "low", "medium", "high", "original", "ultra_high", "?")


@pytest.mark.parametrize(
    ("slug", "size", "detail", "tokens"),
    [
        # The examples of OpenAI's "Images and vision".
        ("openai/gpt-4o", (1024, 1024), "high", 765),
        ("openai/gpt-4o", (2048, 4096), "high", 1105),
        ("openai/gpt-4o", (4096, 8192), "low", 85),
        ("openai/gpt-5.2", (1024, 1024), "", 1024),
        ("openai/gpt-5.2", (1800, 2400), "", 1452),
        ("openai/gpt-4.1-mini", (1800, 2400), "", 2353),
        ("openai/gpt-4o-mini", (1024, 1024), "auto", 2833 + 4 * 5667),
        ("openai/gpt-5", (512, 512), "high", 210),
        ("openai/gpt-5.4", (4000, 4000), "auto", 2500),
        ("openai/gpt-5.4", (4000, 4000), "original", 10_000),
        ("openai/gpt-5.5", (3200, 3200), "", 10_000),
        ("openai/gpt-6-astra", (4800, 4800), "", 22_500),
        ("openai/gpt-6-astra", (4800, 4800), "low", 256),
        # Anthropic's ⌈width / 28⌉ x ⌈height / 28⌉, and its two largest sizes.
        ("anthropic/claude-haiku-4.5", (1000, 1000), "", 1296),
        ("anthropic/claude-haiku-4.5", (4000, 3000), "", 1568),
        ("anthropic/claude-opus-4.8", (4000, 3000), "", 4784),
        # Google's: 258 to 384 pixels, then crops of two thirds of the short side (360 in 960 x 540).
        ("google/gemini-2.5-flash", (384, 384), "", 258),
        ("google/gemini-2.5-flash", (960, 540), "", 6 * 258),
        ("google/gemini-3.8-flash", (9000, 9000), "", 1120),
        ("google/gemini-3.8-flash", (9000, 9000), "low", 280),
        ("vendor/unheard-of", (10, 10), "", 2880),
    ],
)
def test_a_picture_costs_what_its_vendor_says(
    slug: str, size: tuple[int, int], detail: str, tokens: int
) -> None:
    assert family(slug).picture(Size(*size), detail) == tokens


sides = st.integers(1, 70_000)
families = st.sampled_from([ANY, *(row[1] for row in ROWS)])


@given(families, sides, sides, st.sampled_from(DETAILS))
def test_no_picture_costs_more_than_one_of_unknown_size(
    rules: Family, width: int, height: int, detail: str
) -> None:
    picture = rules.picture
    assert 0 < picture(Size(width, height), detail) <= picture(None, detail) <= IMAGE


@pytest.mark.parametrize(
    "head",
    [
        files.png(1800, 2400),
        files.gif(1800, 2400),
        files.jpeg(1800, 2400),
        *(files.webp(form, 1800, 2400) for form in (b"VP8X", b"VP8L", b"VP8 ")),
    ],
)
def test_sizes_are_read_from_headers(head: bytes) -> None:
    assert pictures.size(head) == (1800, 2400)
    assert pictures.size(head[: len(head) // 2]) is None


@given(
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8", b"RIFF\0\0\0\0WEBPVP8 ", b""]), st.binary()
)
def test_any_bytes_are_a_size_or_none(start: bytes, rest: bytes) -> None:
    found = pictures.size(start + rest)
    assert found is None or min(found) > 0


def test_a_picture_of_no_size_is_unknown() -> None:
    assert pictures.size(files.png(0, 5)) is None
