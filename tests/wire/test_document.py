from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from writingmate.errors import InvalidRequest
from writingmate.wire import document

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def refusal(body: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        document.parse(body)
    return caught.value


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"[1, 2]", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"model": "m"', "truncated"),
        (b'{"model": "m", "messages": [{"role": "us', "truncated"),
        (b'{"model": "m"}\x00', "trailing"),
        (b'{"model": "a\x00b"}', "invalid character"),
        (b'{"model": "a\nb"}', "invalid character"),
        (b'{"temperature": NaN}', "invalid character"),
        (b'{"model": "\xff\xfe"}', "UTF-8"),
        (b'{"\xff": 1}', "UTF-8"),
        (b'{"model": "\xed\xa0\x80"}', "UTF-8"),
        (b'{"model": "\\ud800 half a pair"}', "We could not parse"),
        (b"\xef\xbb\xbf{}", "invalid character"),
        (b'{"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested too deeply"),
        (b'{"a": ' + b'{"a":' * 10_000, "nested too deeply"),
    ],
)
def test_what_is_no_json_object_is_refused_in_openais_words(body: bytes, hint: str) -> None:
    refused = refusal(body)
    assert refused.status == 400
    assert (refused.type, refused.code, refused.param) == ("invalid_request_error", None, None)
    assert refused.message.startswith("We could not parse the JSON body of your request. ")
    assert hint in refused.message


def test_values_stay_the_senders_bytes() -> None:
    parsed = document.parse(b' { "temperature" : 0.70 , "x" : [ 1,  2 ], "n":1e0}\n')
    assert {name: bytes(raw) for name, raw in parsed.items()} == {
        "temperature": b"0.70",
        "x": b"[ 1,  2 ]",
        "n": b"1e0",
    }
    assert document.encode(parsed) == b'{"temperature":0.70,"x":[ 1,  2 ],"n":1e0}'


def test_a_key_sent_twice_means_the_last_and_goes_out_once() -> None:
    parsed = document.parse(b'{"model":"cheap","messages":[],"model":"dear"}')
    assert document.value(parsed["model"]) == "dear"
    assert document.encode(parsed).count(b'"model"') == 1


def test_a_body_of_20_megabytes_is_read() -> None:
    text = b"x" * 20_000_000
    parsed = document.parse(b'{"prompt":"' + text + b'"}')
    assert len(bytes(parsed["prompt"])) == len(text) + 2


def test_nesting_that_fits_is_read() -> None:
    parsed = document.parse(b'{"a":' + b"[" * 200 + b"]" * 200 + b"}")
    assert document.value(parsed["a"])


@pytest.mark.parametrize("raw", [b"9" * 5000, b"[" + b"9" * 5000 + b"]", b"[" * 20_000])
def test_a_value_without_meaning_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        document.value(msgspec.Raw(raw))


@given(st.dictionaries(st.text(), JSON))
def test_what_is_encoded_is_parsed_again(value: dict[str, object]) -> None:
    parsed = document.parse(msgspec.json.encode(value))
    assert {name: document.value(raw) for name, raw in parsed.items()} == value
    assert msgspec.json.decode(document.encode(parsed)) == value


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(body: bytes) -> None:
    try:
        parsed = document.parse(body)
    except InvalidRequest:
        return
    assert document.parse(document.encode(parsed)) == parsed


def test_our_own_values_stand_in_a_document() -> None:
    assert bytes(document.raw({"a": [1, "é"]})) == '{"a":[1,"é"]}'.encode()
