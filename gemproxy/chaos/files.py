"""The files API of the fake Gemini: uploads by every protocol, and the uploaded files.

    POST   /upload/{version}/files       resumable, raw, multipart; uploadType=media, multipart
    POST   the URL it answered with      upload, finalize, query, cancel; needs no credential
    GET    /{version}/files              pageSize, pageToken
    GET    /{version}/files/{id}         the resource
    GET    /{version}/files/{id}:download  the content; Range and If-None-Match
    DELETE /{version}/files/{id}

The protocol is that of Google's upload servers, as the SDKs use it. Files exist as long as the
server; ids are counted, so the same requests get the same bytes.
"""

import base64
import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from email import policy
from email.parser import BytesParser
from typing import Any, cast

import attrs

from gemproxy.chaos.api import Refused, check_credential, json_reply
from gemproxy.chaos.delivery import Reply
from gemproxy.chaos.paging import page
from gemproxy.chaos.wire import Request
from gemproxy.core.repair.request import look_up

GRANULARITY = 256 * 1024
"""The size of every piece of an upload but the last must be a multiple of this (bytes)."""

_UPLOAD = re.compile(r"(?P<base>.*?)/upload/(?P<version>v\d\w*)/files$")
_FILE = re.compile(
    r"(?P<base>.*)/(?P<version>v\d\w*)/files(?:/(?P<id>[^/:]+)(?P<method>:download)?)?$"
)
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_PAGE = 10
_CREATED = "2026-01-01T00:00:00Z"
_EXPIRES = "2026-01-03T00:00:00Z"


@attrs.frozen
class File:
    """One file: its upload URL, the client's metadata, and its content."""

    id: str
    home: str
    mime_type: str
    display_name: str
    content: bytes = attrs.field(repr=False)

    @property
    def etag(self) -> str:
        """The entity tag of the content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'

    @property
    def resource(self) -> dict[str, Any]:
        """The API's resource of the file."""
        digest = hashlib.sha256(self.content).hexdigest()
        named = {"displayName": self.display_name} if self.display_name else {}
        return {
            "name": f"files/{self.id}",
            **named,
            "mimeType": self.mime_type,
            "sizeBytes": str(len(self.content)),
            "createTime": _CREATED,
            "updateTime": _CREATED,
            "expirationTime": _EXPIRES,
            "sha256Hash": base64.b64encode(digest.encode()).decode(),
            "uri": f"{self.home}/files/{self.id}",
            "downloadUri": f"{self.home}/files/{self.id}:download?alt=media",
            "state": "ACTIVE",
            "source": "UPLOADED",
        }


@attrs.define
class Upload:
    """A begun upload; ``status`` is active, final or cancelled, as in the protocol."""

    home: str
    mime_type: str
    metadata: Mapping[str, Any]
    content: bytearray = attrs.field(factory=bytearray, repr=False)
    status: str = "active"


@attrs.define(eq=False)
class Files:
    """The files and uploads of one project, by id; the ids are counted by ``numbers``."""

    files: dict[str, File] = attrs.field(factory=dict)
    uploads: dict[str, Upload] = attrs.field(factory=dict)
    numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), repr=False)

    def answer(self, request: Request) -> Reply | None:
        """Return the answer to a request for this API, None for any other one; raise Refused."""
        begun = _UPLOAD.search(request.path)
        if begun is not None:
            return self._upload(request, _home(request, begun))
        found = _FILE.search(request.path)
        if found is None:
            return None
        check_credential(request)
        if found["id"] is None:
            return self._list(request)
        file = self._file(found["id"])
        if request.method == "DELETE":
            del self.files[file.id]
            return json_reply({})
        return _content(file, request) if found["method"] else json_reply(file.resource)

    def _file(self, name: str) -> File:
        if name not in self.files:
            message = f"You do not have permission to access the File {name} or it may not exist."
            raise Refused(403, message)
        return self.files[name]

    def _list(self, request: Request) -> Reply:
        resources = [file.resource for file in self.files.values()]
        return json_reply(page(request, "files", resources, _PAGE))

    def _upload(self, request: Request, home: str) -> Reply:
        upload_id = request.query.get("upload_id")
        if upload_id is not None:
            return self._go_on(request, upload_id)
        check_credential(request)
        kind = request.query.get("uploadType") or request.header("x-goog-upload-protocol")
        if kind == "resumable":
            return self._start(request, home)
        if kind == "multipart":
            return self._keep(_related(request, home))
        upload = Upload(home, _mime_type(request), {}, bytearray(request.body))
        return self._keep(upload)

    def _start(self, request: Request, home: str) -> Reply:
        upload_id = f"upload{next(self.numbers)}"
        self.uploads[upload_id] = Upload(home, _mime_type(request), request.document)
        url = f"http://{request.header('host')}{request.path}?upload_id={upload_id}"
        url += "&upload_protocol=resumable"
        headers = (
            ("X-Goog-Upload-Status", "active"),
            ("X-Goog-Upload-URL", url),
            ("X-Goog-Upload-Control-URL", url),
            ("X-Goog-Upload-Chunk-Granularity", str(GRANULARITY)),
            ("X-GUploader-UploadID", upload_id),
        )
        return Reply(200, headers, ())

    def _go_on(self, request: Request, upload_id: str) -> Reply:
        upload = self.uploads.get(upload_id)
        if upload is None:
            raise Refused(404, "Requested entity was not found.")
        commands = {word.strip() for word in request.header("x-goog-upload-command").split(",")}
        if "cancel" in commands:
            upload.status = "cancelled"
        elif "query" not in commands:
            _take(upload, request, commands)
        reply = self._keep(upload) if "finalize" in commands else Reply(200, (), ())
        return attrs.evolve(reply, headers=(*reply.headers, *_progress(upload)))

    def _keep(self, upload: Upload) -> Reply:
        """Make a file of the uploaded bytes."""
        upload.status = "final"
        metadata = look_up(dict(upload.metadata), "file") or {}
        name = look_up(metadata, "name") or f"files/file{next(self.numbers)}"
        file = File(
            id=name.removeprefix("files/"),
            home=upload.home,
            mime_type=look_up(metadata, "mimeType") or upload.mime_type,
            display_name=look_up(metadata, "displayName") or "",
            content=bytes(upload.content),
        )
        self.files[file.id] = file
        return json_reply({"file": file.resource})


def _home(request: Request, found: re.Match[str]) -> str:
    """Return the base of a URI, before the resource, as this server's clients see it."""
    return f"http://{request.header('host')}{found['base']}/{found['version']}"


def _mime_type(request: Request) -> str:
    said = request.header("x-goog-upload-header-content-type") or request.header("content-type")
    return said or "application/octet-stream"


def _take(upload: Upload, request: Request, commands: set[str]) -> None:
    """Add a piece; raise Refused for one at a wrong place."""
    if upload.status != "active":
        raise Refused(400, f"The upload is {upload.status}.", violation=True)
    offset = request.header("x-goog-upload-offset")
    if "upload" in commands and offset != str(len(upload.content)):
        raise Refused(400, f"The offset {offset} is not {len(upload.content)}.", violation=True)
    if "finalize" not in commands and len(request.body) % GRANULARITY:
        raise Refused(400, f"The piece is no multiple of {GRANULARITY} bytes.", violation=True)
    upload.content += request.body


def _progress(upload: Upload) -> tuple[tuple[str, str], ...]:
    return (
        ("X-Goog-Upload-Status", upload.status),
        ("X-Goog-Upload-Size-Received", str(len(upload.content))),
    )


def _related(request: Request, home: str) -> Upload:
    """Return the upload in a multipart/related body: its metadata, then its content."""
    head = f"Content-Type: {request.header('content-type')}\r\n\r\n".encode()
    message = BytesParser(policy=policy.HTTP).parsebytes(head + request.body)
    parts = list(message.iter_parts())
    if len(parts) != 2:  # noqa: PLR2004 (the parts of the form)
        raise Refused(400, "The body has not two parts.", violation=True)
    metadata, content = (part.get_payload(decode=True) for part in parts)
    try:
        document = json.loads(cast("bytes", metadata))
    except ValueError:
        raise Refused(400, "The first part is no JSON.", violation=True) from None
    data = bytearray(cast("bytes", content))
    return Upload(home, parts[1].get_content_type(), document, data)


def _content(file: File, request: Request) -> Reply:
    """Return the content of a file, or its requested range."""
    headers = (("Content-Type", file.mime_type), ("ETag", file.etag), ("Accept-Ranges", "bytes"))
    if request.header("if-none-match") == file.etag:
        return Reply(304, headers, ())
    asked = _RANGE.fullmatch(request.header("range"))
    if asked is None or not any(asked.groups()):
        return Reply(200, headers, (file.content,))
    size = len(file.content)
    begin, end = _bounds(asked[1], asked[2], size)
    if begin >= size:
        return Reply(416, (("Content-Range", f"bytes */{size}"),), ())
    part = file.content[begin:end]
    return Reply(206, (*headers, ("Content-Range", f"bytes {begin}-{end - 1}/{size}")), (part,))


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    """Return begin and end of a range of ``size`` bytes (RFC 9110 section 14.1.2)."""
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size
