"""Server-sent events as bytes: however they are cut into pieces, the events are the same."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.agents.models import provider_http as http
from kernelwright.agents.models.wire import sse

EVENTS = st.lists(
    st.one_of(
        st.just(http.DONE),
        st.dictionaries(st.text(max_size=3), st.text(max_size=9), max_size=3),
        st.integers(),
    ),
    max_size=8,
)


@given(
    events=EVENTS,
    end=st.sampled_from(["\n", "\r\n"]),
    ascii_only=st.booleans(),
    cuts=st.lists(st.integers(0, 400)),
)
def test_pieces_of_any_size(events, end, ascii_only, cuts):
    parts = []
    for event in events:
        data = event if event == http.DONE else json.dumps(event, ensure_ascii=ascii_only)
        parts += [": a comment", "event: x", f"data: {data}", ""]
    raw = end.join([*parts, ""]).encode("utf-8", "surrogatepass")
    at = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    pieces = [raw[a:b] for a, b in pairwise(at)]
    assert list(sse(pieces)) == events


def test_data_in_several_lines_is_one_event():
    assert list(sse([b'data: {"a":\ndata: 1}\n\n'])) == [{"a": 1}]


def test_an_event_that_the_end_cuts_off_is_left_out():
    assert list(sse([b"data: 1\n\ndata: {"])) == [1]
    assert list(sse([b"data: 1\n\ndata: 2"])) == [1, 2]


def test_what_is_no_json_is_an_error():
    with pytest.raises(ValueError, match="Expecting"):
        list(sse([b"data: nonsense\n\n"]))
