"""Sessions: sealed, opened, and what becomes of the URLs in an answer."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from yarl import URL

from gemproxy.exchange.credential import Credential
from gemproxy.exchange.exchange import Exchange
from gemproxy.relay.leases import OwnLease
from gemproxy.relay.sessions import (
    LIFETIME,
    UnknownSession,
    UploadSession,
    UploadSessions,
    is_session,
    new_key,
)

BASE = URL("https://generativelanguage.googleapis.com")
ASKED = BASE / "upload/v1beta/files"
GOOGLES = f"{ASKED}?upload_id=AbC-1&upload_protocol=resumable"
OURS = "http://proxy:8000/upload/v1beta/files"
KEY = Credential.api_key("test-key")
SESSIONS = UploadSessions(key=new_key())


def translated(**headers: str) -> CIMultiDict[str]:
    """Return the headers of an answer as the client gets them."""
    made = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    lease = OwnLease(BASE, KEY)
    SESSIONS.translate(made, asked=ASKED, lease=lease, access="", client_url=OURS)
    return made


def of_the_pool(**headers: str) -> CIMultiDict[str]:
    """Return the headers of an answer to an access key."""
    made = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    lease = OwnLease(BASE, KEY, key="12ab34cd", project="lab")
    SESSIONS.translate(made, asked=ASKED, lease=lease, access="ann", client_url=OURS)
    return made


def exchange(path: str, query: str) -> Exchange:
    return Exchange("1", "upload", "POST", path, query, {})


def upload_id(url: str) -> str:
    (found,) = parse_qs(urlsplit(url).query)["upload_id"]
    return found


@given(st.text(), st.text())
def test_a_session_comes_out_as_it_went_in(header: str, value: str) -> None:
    session = UploadSession(URL(GOOGLES, encoded=True), Credential(header, value))

    assert SESSIONS.open(SESSIONS.seal(session)) == session


def test_a_session_may_have_no_credential() -> None:
    session = UploadSession(URL(GOOGLES))

    assert SESSIONS.open(SESSIONS.seal(session)) == session


def test_a_token_shows_nothing_and_fits_a_query() -> None:
    token = SESSIONS.seal(UploadSession(URL(GOOGLES), KEY))

    assert is_session(token)
    assert "test-key" not in token
    assert token == upload_id(f"http://x/?upload_id={token}&a=b")


def test_two_tokens_for_one_session_differ() -> None:
    session = UploadSession(URL(GOOGLES), KEY)

    assert SESSIONS.seal(session) != SESSIONS.seal(session)


def test_whoever_has_the_key_goes_on() -> None:
    key = new_key()
    session = UploadSession(URL(GOOGLES), KEY)

    assert UploadSessions(key=key).open(UploadSessions(key=key).seal(session)) == session


def test_another_key_does_not_open_it() -> None:
    token = SESSIONS.seal(UploadSession(URL(GOOGLES), KEY))

    with pytest.raises(UnknownSession):
        UploadSessions(key=new_key()).open(token)


TOKEN = SESSIONS.seal(UploadSession(URL(GOOGLES), KEY))
"""Sealed once: each seal is another token, and a property has to draw from the same one."""


@given(st.data())
def test_a_token_that_was_changed_is_none(data: st.DataObject) -> None:
    token = TOKEN
    at = data.draw(st.integers(len("gemproxy-"), len(token) - 3))
    other = data.draw(st.sampled_from("AZaz09-_").filter(lambda letter: letter != token[at]))

    with pytest.raises(UnknownSession):
        SESSIONS.open(token[:at] + other + token[at + 1 :])


@given(st.text())
def test_any_other_text_is_no_session(text: str) -> None:
    with pytest.raises(UnknownSession):
        SESSIONS.open(text)


def test_a_session_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    token = SESSIONS.seal(UploadSession(URL(GOOGLES), KEY))
    later = time.time() + LIFETIME + 1
    monkeypatch.setattr(time, "time", lambda: later)

    with pytest.raises(UnknownSession):
        SESSIONS.open(token)


@pytest.mark.parametrize("name", ["X_Goog_Upload_URL", "X_Goog_Upload_Control_URL", "Location"])
def test_the_url_of_an_upload_becomes_ours(name: str) -> None:
    (url,) = translated(**{name: GOOGLES}).values()

    assert url.startswith(f"{OURS}?upload_id=gemproxy-")
    assert url.endswith("&upload_protocol=resumable")
    assert SESSIONS.open(upload_id(url)) == UploadSession(URL(GOOGLES), KEY)


def test_a_key_in_the_url_is_left_out() -> None:
    (url,) = translated(X_Goog_Upload_URL=f"{GOOGLES}&key=test-key&access_token=t").values()

    assert "key=" not in url
    assert SESSIONS.open(upload_id(url)).url == URL(GOOGLES)


def test_a_url_without_an_upload_id_gets_one() -> None:
    (url,) = translated(Location="/upload/v1beta/files/17").values()

    assert SESSIONS.open(upload_id(url)).url == BASE / "upload/v1beta/files/17"


def test_another_host_of_googles_gets_no_credential() -> None:
    (url,) = translated(Location="https://storage.googleapis.com/u?upload_id=1").values()

    assert SESSIONS.open(upload_id(url)).credential is None


def test_a_url_elsewhere_stays_but_for_its_key() -> None:
    made = translated(Location="https://elsewhere.example/u?a=b&key=test-key")

    assert made["Location"] == "https://elsewhere.example/u?a=b"


def test_other_headers_stay() -> None:
    assert translated(X_Goog_Upload_Status="active") == {"X-Goog-Upload-Status": "active"}


def test_a_session_of_the_pool_has_names_in_place_of_a_credential() -> None:
    (url,) = of_the_pool(X_Goog_Upload_URL=GOOGLES).values()

    session = SESSIONS.open(upload_id(url))
    assert session == UploadSession(URL(GOOGLES), None, "ann", "12ab34cd", "lab")


def test_another_host_of_googles_gets_no_key_of_the_pool() -> None:
    (url,) = of_the_pool(Location="https://storage.googleapis.com/u?upload_id=1").values()

    session = SESSIONS.open(upload_id(url))
    assert (session.credential, session.key, session.access) == (None, "", "ann")


@pytest.mark.parametrize(
    ("session", "maker"),
    [(UploadSession(URL(GOOGLES), None, "ann", "k", "p"), "ann"), (UploadSession(URL("")), "")],
)
def test_a_piece_is_let_in_by_who_began_the_upload(session: UploadSession, maker: str) -> None:
    token = SESSIONS.seal(session)

    assert SESSIONS.maker_of(exchange("/upload/v1/files", f"a=b&upload_id={token}")) == maker
    assert SESSIONS.maker_of(exchange("/upload/v1/files", f"upload%5Fid={token}")) == maker
    assert SESSIONS.maker_of(exchange("/v1/files", f"upload_id={token}")) is None
    assert SESSIONS.maker_of(exchange("/upload/v1/files", f"upload_id={token[:-4]}")) is None
    assert SESSIONS.maker_of(exchange("/upload/v1/files", "upload_id=googles")) is None
    assert SESSIONS.maker_of(exchange("/upload/v1/files", "")) is None
