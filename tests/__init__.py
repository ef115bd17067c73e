"""Tests mirror the package; `tests.fakes` are the servers they talk to."""
