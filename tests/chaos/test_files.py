"""The fake files API: every protocol of an upload, and what a client gets back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.api import Refused
from gemproxy.chaos.delivery import Reply
from gemproxy.chaos.files import GRANULARITY, Files
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.chaos.wire import Request
from tests.chaos.client import ask

START = "/v1beta/files"
HOST = ("host", "chaos:1")
KEY = ("x-goog-api-key", "test-key")


def request(method: str, target: str, body: bytes = b"", **headers: str) -> Request:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Request(method, target, "HTTP/1.1", (HOST, *named), body)


def answer(files: Files, method: str, target: str, body: bytes = b"", **headers: str) -> Reply:
    """Return the answer to a request with a key."""
    reply = files.answer(request(method, target, body, x_goog_api_key="test-key", **headers))
    assert reply is not None
    return reply


def document(reply: Reply) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(reply.body)
    return found


def begun(files: Files, **metadata: str) -> str:
    """Start a resumable upload; return the target of its URL."""
    reply = answer(
        files,
        "POST",
        "/gate/upload/v1beta/files",
        json.dumps({"file": metadata}).encode(),
        x_goog_upload_protocol="resumable",
        x_goog_upload_command="start",
        x_goog_upload_header_content_type="text/plain",
    )
    url = dict(reply.headers)["X-Goog-Upload-URL"]
    assert url.startswith("http://chaos:1/gate/upload/v1beta/files?upload_id=")
    return url.removeprefix("http://chaos:1")


def piece(files: Files, target: str, command: str, body: bytes = b"", offset: int = 0) -> Reply:
    """Send what belongs to an upload, without a credential."""
    reply = files.answer(
        request(
            "POST",
            target,
            body,
            x_goog_upload_command=command,
            x_goog_upload_offset=str(offset),
        )
    )
    assert reply is not None
    return reply


def test_a_resumable_upload_becomes_a_file() -> None:
    files = Files()
    target = begun(files, displayName="notes")
    first, rest = b"a" * GRANULARITY, b"bc"

    assert dict(piece(files, target, "upload", first).headers)["X-Goog-Upload-Status"] == "active"
    reply = piece(files, target, "upload, finalize", rest, len(first))

    assert dict(reply.headers)["X-Goog-Upload-Status"] == "final"
    file = document(reply)["file"]
    assert file["sizeBytes"] == str(len(first + rest))
    assert file["mimeType"] == "text/plain"
    assert file["displayName"] == "notes"
    assert file["uri"] == f"http://chaos:1/gate/v1beta/{file['name']}"
    assert answer(files, "GET", f"/v1/{file['name']}:download?alt=media").body == first + rest


def test_a_query_tells_what_came_and_a_cancel_ends_it() -> None:
    files = Files()
    target = begun(files)
    piece(files, target, "upload", bytes(GRANULARITY))

    assert dict(piece(files, target, "query").headers) == {
        "X-Goog-Upload-Status": "active",
        "X-Goog-Upload-Size-Received": str(GRANULARITY),
    }
    assert dict(piece(files, target, "cancel").headers)["X-Goog-Upload-Status"] == "cancelled"
    with pytest.raises(Refused, match="cancelled"):
        piece(files, target, "upload, finalize", b"x", GRANULARITY)


@pytest.mark.parametrize(
    ("command", "body", "offset", "message"),
    [
        ("upload", bytes(GRANULARITY), 1, "offset"),
        ("upload", b"short", 0, "multiple"),
    ],
)
def test_a_piece_that_does_not_fit_is_refused(
    command: str, body: bytes, offset: int, message: str
) -> None:
    files = Files()
    target = begun(files)

    with pytest.raises(Refused, match=message):
        piece(files, target, command, body, offset)


def test_an_unknown_upload_is_not_found() -> None:
    with pytest.raises(Refused, match="not found"):
        piece(Files(), "/upload/v1/files?upload_id=none", "query")


@pytest.mark.parametrize("target", ["?uploadType=media", ""])
def test_a_raw_upload_is_a_file_at_once(target: str) -> None:
    reply = answer(
        Files(),
        "POST",
        f"/upload/v1/files{target}",
        b"\x00bytes",
        content_type="image/png",
        x_goog_upload_protocol="raw",
    )

    assert document(reply)["file"]["mimeType"] == "image/png"
    assert document(reply)["file"]["sizeBytes"] == "6"


@given(st.binary(max_size=64).filter(lambda data: b"--edge" not in data))
def test_a_multipart_upload_keeps_its_bytes(content: bytes) -> None:
    files = Files()
    body = (
        b'--edge\r\nContent-Type: application/json\r\n\r\n{"file": {"name": "files/mine"}}\r\n'
        b"--edge\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        b"%s\r\n--edge--\r\n" % content
    )

    answer(
        files,
        "POST",
        "/upload/v1/files?uploadType=multipart",
        body,
        content_type="multipart/related; boundary=edge",
    )

    assert files.files["mine"].content == content
    assert files.files["mine"].mime_type == "image/png"


@pytest.mark.parametrize("body", [b"", b"--edge\r\n\r\nno JSON\r\n--edge\r\n\r\nx\r\n--edge--"])
def test_a_multipart_body_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        answer(
            Files(),
            "POST",
            "/upload/v1/files?uploadType=multipart",
            body,
            content_type="multipart/related; boundary=edge",
        )


def uploaded(files: Files, content: bytes = b"0123456789") -> str:
    """Upload a file and return its id."""
    reply = answer(files, "POST", "/upload/v1/files?uploadType=media", content)
    name: str = document(reply)["file"]["name"]
    return name.removeprefix("files/")


@pytest.mark.parametrize(
    ("asked", "status", "body", "told"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_a_range_of_the_content_can_be_asked_for(
    asked: str, status: int, body: bytes, told: str | None
) -> None:
    files = Files()
    name = uploaded(files)

    reply = answer(files, "GET", f"/v1/files/{name}:download", range=asked)

    assert (reply.status, reply.body) == (status, body)
    assert dict(reply.headers).get("Content-Range") == told


def test_content_that_the_client_has_is_not_sent_again() -> None:
    files = Files()
    name = uploaded(files)

    etag = dict(answer(files, "GET", f"/v1/files/{name}:download").headers)["ETag"]

    assert answer(files, "GET", f"/v1/files/{name}:download", if_none_match=etag).status == 304


def test_files_are_listed_page_by_page() -> None:
    files = Files()
    names = [f"files/{uploaded(files)}" for _ in range(3)]

    first = document(answer(files, "GET", "/v1/files?pageSize=2"))
    second = document(answer(files, "GET", f"/v1/files?pageToken={first['nextPageToken']}"))

    assert [file["name"] for file in first["files"] + second["files"]] == names
    assert "nextPageToken" not in second


def test_a_deleted_file_is_gone() -> None:
    files = Files()
    name = uploaded(files)

    assert answer(files, "DELETE", f"/v1/files/{name}").status == 200
    with pytest.raises(Refused, match="permission") as refused:
        answer(files, "GET", f"/v1/files/{name}")
    assert refused.value.status == 403


@pytest.mark.parametrize("target", ["/v1/files", "/v1/files/x", "/upload/v1/files"])
def test_a_credential_is_needed(target: str) -> None:
    with pytest.raises(Refused, match="unregistered"):
        Files().answer(request("GET", target))


@pytest.mark.parametrize("target", ["/v1/models", "/v1/files/a/b", "/v1/cachedContents"])
def test_other_requests_are_not_its_business(target: str) -> None:
    assert Files().answer(request("GET", target)) is None


async def test_the_server_serves_it() -> None:
    async with ChaosServer(Script(Answer("x"))) as server:
        target = "/upload/v1/files?uploadType=media"
        seen = await ask(server.url, b"content", target=target)
        refused = await ask(server.url, b"", target="/v1/files/none", method="GET")

        (file,) = server.files.files.values()
        assert json.loads(seen.body)["file"]["uri"].endswith(f"/v1/files/{file.id}")
        assert file.content == b"content"
        assert refused.status == 403
