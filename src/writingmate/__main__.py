"""``python -m writingmate`` is the ``writingmate`` command."""

from __future__ import annotations

from writingmate.cli import main

if __name__ == "__main__":
    main()
