from __future__ import annotations

import csv
import io
import itertools

from hypothesis import given
from hypothesis import strategies as st

from writingmate.metering.export import csv_lines

CELLS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"))


def test_what_needs_quotes_gets_them() -> None:
    rows = [("plain", 1, None), ('comma, "quote"', -2, "line\nbreak")]
    assert list(csv_lines(("name", "figure", "note"), rows)) == [
        "name,figure,note\r\n",
        "plain,1,\r\n",
        '"comma, ""quote""",-2,"line\nbreak"\r\n',
    ]


def test_a_name_is_never_a_formula() -> None:
    rows = [("=HYPERLINK(1)",), ("+1",), ("-1",), ("@a",), ("\tx",), (-5,)]
    assert list(csv_lines(("name",), rows))[1:] == [
        "'=HYPERLINK(1)\r\n",
        "'+1\r\n",
        "'-1\r\n",
        "'@a\r\n",
        "'\tx\r\n",
        "-5\r\n",
    ]


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
def test_any_text_comes_back(rows: list[tuple[str, str]]) -> None:
    text = "".join(csv_lines(("a", "b"), rows))
    expected = [["a", "b"], *([_inert(cell) for cell in row] for row in rows)]
    assert list(csv.reader(io.StringIO(text, newline=""))) == expected


def test_lines_are_made_as_they_are_read() -> None:
    endless = ((number,) for number in itertools.count())
    assert list(itertools.islice(csv_lines(("n",), endless), 3)) == ["n\r\n", "0\r\n", "1\r\n"]


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
