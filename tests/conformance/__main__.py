"""``python -m tests.conformance`` prints docs/conformance.md as it should be; ``--write`` writes it."""

from __future__ import annotations

import asyncio
import sys

from tests.conformance.matrix import cells
from tests.conformance.page import PATH, page

if __name__ == "__main__":
    text = page(asyncio.run(cells()))
    if "--write" in sys.argv[1:]:
        PATH.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
