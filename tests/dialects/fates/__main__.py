"""``python -m tests.dialects.fates`` writes the tables anew."""

from __future__ import annotations

from tests.dialects.conftest import stopped
from tests.dialects.fates.table import tables

if __name__ == "__main__":
    with stopped():
        for table in tables():
            table.path.write_text(table.text(), encoding="utf-8")
