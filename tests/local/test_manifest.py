from __future__ import annotations

import pytest

from writingmate.local.manifest import manifest, named, parse

MODEL = """
[[models]]
id = "tiny"
name = "Tiny"
created = 1
license = "MIT"
file = "tiny.gguf"
size = 3
sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
official = "https://example.test/tiny.gguf"
wheels = ["tiny==1.0 --hash=sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"]
context = 1
slots = 1
max_output = 1
system = "Be brief."
temperature = 0.0
"""


def test_the_default_comes_first_and_has_a_stand_in() -> None:
    default = manifest()[0]
    assert default.slug == "local/qwen2.5-coder-0.5b"
    assert default.stand_in == "smollm2-135m"
    assert len(default.wheels) == 6


def test_a_model_is_known_by_id_and_slug() -> None:
    assert named("smollm2-135m") is named("local/smollm2-135m") is manifest()[1]
    assert named("local/none") is None


def test_every_model_is_free_to_pass_on() -> None:
    assert {model.license for model in manifest()} == {"Apache-2.0"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ba7816bf", "BA7816BF"),
        ('file = "tiny.gguf"', 'file = "../tiny.gguf"'),
        ("tiny==1.0 --hash", "tiny>=1.0 --hash"),
        ('name = "Tiny"', ""),
        ("created = 1", "created = 1\nsurprise = 1"),
        ("temperature = 0.0", 'temperature = 0.0\nstand_in = "none"'),
    ],
)
def test_a_wrong_manifest_is_refused(old: str, new: str) -> None:
    assert parse(MODEL)
    with pytest.raises(ValueError, match=r"is|has|missing|Expected|Object|no model"):
        parse(MODEL.replace(old, new))


def test_two_models_cannot_share_an_id() -> None:
    with pytest.raises(ValueError, match="one id"):
        parse(MODEL + MODEL)
