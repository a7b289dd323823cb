"""The grammar of faults, and that its errors can be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.chaos.faults import (
    CUTS,
    END,
    HEADERS,
    INSERTS,
    THINKING,
    WITHOUT_HEADERS,
    BadFault,
    Fault,
    Kind,
    Place,
    byte,
    error_of,
    event,
    html_page,
    parse_fault,
    utf8,
)

ERRORS = (Kind.STATUS, Kind.ERROR_FRAME, Kind.RAW_ERROR)


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    kind = draw(st.sampled_from(list(Kind)))
    number = st.integers(0, 10**6)
    places = [
        number.map(byte),
        number.map(event),
        number.map(utf8),
        st.just(THINKING),
        st.just(END),
    ]
    if kind in WITHOUT_HEADERS:
        places.append(st.just(HEADERS))
    settings: dict[str, object] = {}
    if kind in CUTS | INSERTS:
        settings["at"] = draw(st.one_of(places))
    if kind in (*ERRORS, Kind.HTML):
        settings["code"] = draw(st.integers(200, 599))
    if kind in ERRORS:
        settings["retry"] = draw(st.none() | st.integers(0, 1000).map(lambda n: n / 4))
    if kind is Kind.BAD_FINISH:
        settings["reason"] = draw(st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True))
    if kind is Kind.DRIP:
        settings["size"] = draw(st.integers(1, 1000))
    return Fault(kind, **settings)  # type: ignore[arg-type]  # drawn by name


@given(faults())
def test_what_a_fault_prints_as_is_read_back(fault: Fault) -> None:
    assert parse_fault(str(fault)) == fault


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("clean@120", Fault(Kind.CLEAN_EOF, byte(120))),
        ("fin", Fault(Kind.FIN)),
        ("rst@event:7", Fault(Kind.RST, event(7))),
        ("fin@utf8", Fault(Kind.FIN, utf8(1))),
        ("fin@utf8:3", Fault(Kind.FIN, utf8(3))),
        ("stall@headers", Fault(Kind.STALL, HEADERS)),
        ("stall@thinking", Fault(Kind.STALL, THINKING)),
        ("rst@end", Fault(Kind.RST, END)),
        ("truncated-chunk@5", Fault(Kind.TRUNCATED_CHUNK, byte(5))),
        ("status:429,retry=20s", Fault(Kind.STATUS, code=429, retry=20)),
        ("status", Fault(Kind.STATUS, code=503)),
        ("error:500@event:3", Fault(Kind.ERROR_FRAME, event(3), code=500)),
        ("raw-error:503,retry=1.5@0", Fault(Kind.RAW_ERROR, code=503, retry=1.5)),
        ("finish:OTHER@event:5", Fault(Kind.BAD_FINISH, event(5), reason="OTHER")),
        ("bare@event:2", Fault(Kind.BARE, event(2))),
        ("html", Fault(Kind.HTML, code=502)),
        ("html:200", Fault(Kind.HTML, code=200)),
        ("drip", Fault(Kind.DRIP, size=1)),
        ("drip:7", Fault(Kind.DRIP, size=7)),
        ("refuse", Fault(Kind.REFUSE_CONNECT)),
        ("none", None),
    ],
)
def test_specifications_are_read(spec: str, fault: Fault | None) -> None:
    assert parse_fault(spec) == fault


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("", "expected kind"),
        ("explode@3", "no such kind as 'explode'; there are none, clean, fin"),
        ("clean@somewhere", "no such place as 'somewhere'; expected a number of bytes, event:N"),
        ("clean@", "no such place as ''"),
        ("clean@event:x", "expected a number, got 'x'"),
        ("clean@-3", "no such place"),
        ("clean:5@3", "clean takes no argument"),
        ("clean@headers", "needs a response"),
        ("status:429@3", "takes no place"),
        ("status:foo", "expected an HTTP status, got 'foo'"),
        ("status:429,later", "expected retry=SECONDS"),
        ("html:502,retry=3", "expected retry=SECONDS of an error"),
        ("finish@event:3", "finish needs a reason"),
        ("finish:other@3", "expected a finishReason such as OTHER"),
        ("drip:0", "size"),
    ],
)
def test_what_cannot_be_read_is_said_with_the_specification(spec: str, complaint: str) -> None:
    with pytest.raises(BadFault) as caught:
        parse_fault(spec)
    assert complaint in str(caught.value)
    assert repr(spec) in str(caught.value)


WORDS = ["none", *(kind.value for kind in Kind), "event", "utf8", "headers", "end", "retry=", "3"]


@given(
    st.text(max_size=30)
    | st.lists(st.sampled_from([*WORDS, ":", "@", ",", "429", "OTHER"]), max_size=6).map("".join)
)
def test_a_specification_is_read_as_a_fault_or_raises_bad_fault(spec: str) -> None:
    try:
        fault = parse_fault(spec)
    except BadFault:
        return

    assert (fault is None) == (spec == "none")


def test_a_place_makes_no_sense_for_a_whole_answer() -> None:
    with pytest.raises(ValueError, match="takes no place"):
        Fault(Kind.EMPTY, byte(3))


def test_places_print_as_they_are_written() -> None:
    places = (Place(), event(3), utf8(2), THINKING, HEADERS, END)
    assert [str(place) for place in places] == [
        "0",
        "event:3",
        "utf8:2",
        "thinking",
        "headers",
        "end",
    ]


def test_an_error_says_when_to_come_again() -> None:
    error = error_of(Fault(Kind.STATUS, code=429, retry=2.5))["error"]
    assert error["code"] == 429
    assert error["status"] == "RESOURCE_EXHAUSTED"
    assert error["details"] == [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.5s"}
    ]


def test_an_error_without_retry_has_no_details() -> None:
    assert "details" not in error_of(Fault(Kind.STATUS))["error"]


def test_an_html_page_names_its_status() -> None:
    assert b"<h1>502</h1>" in html_page(Fault(Kind.HTML, code=502))
