"""Fuzzing of the codecs: what is drawn, and what has to hold of everything drawn.

``targets`` has one target for each direction of each pair of dialects that has recorded cases, and some
for the bytes below them. `make test` runs 200 examples of each, ``python -m tests.fuzz`` ten minutes.

A new dialect of clients needs a row in ``tests/dialects/hearing.py``, ``judges.py`` and ``requests.py``, one
of providers in ``vendors.py`` and ``judges.py``; until then its recorded bytes are mutated all the same.
"""
