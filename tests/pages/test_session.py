"""Sessions: who made a token is known by it alone, and nothing else passes as one."""

from hypothesis import given
from hypothesis import strategies as st

from gemproxy.pages.session import LIFETIME, Sessions

SESSIONS = Sessions.of("w7Kq2mXv9TzRw4Lp8sDfGh3J")
TOKEN, SESSION = SESSIONS.begin(1000.0)


def test_a_token_is_known_until_its_end() -> None:
    assert SESSIONS.find(TOKEN, 1000.0) == SESSION
    assert SESSIONS.find(TOKEN, 1000.0 + LIFETIME - 1) == SESSION
    assert SESSIONS.find(TOKEN, 1000.0 + LIFETIME) is None


def test_another_process_with_the_secret_knows_it_and_another_secret_does_not() -> None:
    assert Sessions.of("w7Kq2mXv9TzRw4Lp8sDfGh3J").find(TOKEN, 1000.0) == SESSION
    assert Sessions.of("w7Kq2mXv9TzRw4Lp8sDfGh3K").find(TOKEN, 1000.0) is None


@given(st.text(max_size=300))
def test_no_other_text_is_a_token(text: str) -> None:
    assert SESSIONS.find(text, 1000.0) is None


@given(st.integers(0, len(TOKEN) - 1), st.characters(codec="ascii"))
def test_no_changed_token_is_one(place: int, letter: str) -> None:
    changed = TOKEN[:place] + letter + TOKEN[place + 1 :]

    assert SESSIONS.find(changed, 1000.0) == (SESSION if changed == TOKEN else None)


def test_a_session_that_was_signed_out_is_over() -> None:
    sessions = Sessions.of("another secret, for this test")
    token, session = sessions.begin(1000.0)
    other, _ = sessions.begin(1000.0)

    sessions.end(session.id, session.ends, 1001.0)

    assert sessions.find(token, 1001.0) is None
    assert sessions.find(other, 1001.0) is not None


def test_a_form_is_known_by_the_session_that_it_is_of() -> None:
    _, other = SESSIONS.begin(1000.0)

    assert SESSION.owns(SESSION.form_token)
    assert not SESSION.owns(other.form_token)
    assert not SESSION.owns("")
    assert not SESSION.owns("ü")


def test_no_secret_is_in_a_repr() -> None:
    assert SESSION.form_token not in repr(SESSION)
    assert SESSION.id not in repr(SESSION)
