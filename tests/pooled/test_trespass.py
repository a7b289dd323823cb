"""Odd spellings of somebody else's name: paths, bodies and encodings that Gemini would understand.

There is one project, so that only gemproxy stands between the two users.
"""

import asyncio
import gzip
import json

import attrs
import pytest

from tests.pooled.conftest import StartHouse
from tests.pooled.house import BOB, K1, MODEL, House, projects, stream_of

pytestmark = pytest.mark.production_loop

GENERATE = f"/v1beta/models/{MODEL}:generateContent"


async def theirs(house: StartHouse) -> tuple[House, str, str]:
    """Return a house with one project, and a file and a cache of ann's."""
    started = await house([attrs.evolve(projects()[0], keys=(K1,))])
    raw = {"X-Goog-Upload-Protocol": "raw", "Content-Type": "text/plain"}
    made = await started.send("POST", "/upload/v1beta/files", b"content", headers=raw)
    cached = await started.send("POST", "/v1beta/cachedContents", {"model": f"models/{MODEL}"})
    return started, json.loads(made.body)["file"]["name"], json.loads(cached.body)["name"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/./{}",
        "/v1beta/models/../{}",
        "/v1beta/x/../{}",
        "/v1beta/%2e%2e/v1beta/{}",
        "/v1beta/{}/",
        "/v1beta/{}?alt=media",
        "/v1beta/{}:download",
        "/v1beta/{}%3Adownload?alt=media",
        "/v1beta//{}",
        "//v1beta/{}",
        "/v1beta/{}?key=" + BOB,
        "/v1beta/{}#x",
        "/v1main/{}",
        "/base/v1beta/{}",
        "/v1beta/models/m/{}",
        "/v1beta/tunedModels/../{}:download",
    ],
)
async def test_no_path_leads_to_a_file(house: StartHouse, path: str) -> None:
    started, file, _ = await theirs(house)
    collection, _, name = file.partition("/")
    for spelt in (file, f"{collection}%2F{name}", f"%66iles/{name}", f"{collection}/%66{name[1:]}"):
        for method in ("GET", "DELETE"):
            answer = await started.send(method, path.format(spelt), key=BOB)
            assert answer.status >= 300, answer.body

    assert (await started.send("GET", f"/v1beta/{file}")).status == 200


def bodies(file: str, cached: str) -> dict[str, bytes]:
    """Return requests that use a file or a cache, each by its spelling."""
    uri = f"https://generativelanguage.googleapis.com/v1beta/{file}"
    part = {"fileData": {"mimeType": "text/plain", "fileUri": uri}}
    plain = json.dumps({"contents": [{"role": "user", "parts": [{"text": "Hi"}, part]}]})
    with_cache = json.dumps({"contents": [{"parts": [{"text": "Hi"}]}], "cachedContent": cached})
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in cached)
    return {
        "plain": plain.encode(),
        "indented": json.dumps(json.loads(plain), indent=4).encode(),
        "escaped": with_cache.replace(cached, escaped).encode(),
        "escaped slash": plain.replace("/", "\\/").encode(),
        "escaped key": with_cache.replace("cachedContent", "\\u0063achedContent").encode(),
        "escaped key in parts": plain.replace('"fileUri"', '"file\\u0055ri"').encode(),
        "snake": with_cache.replace('"cachedContent"', '"cached_content"').encode(),
        "mixed": plain.replace("fileUri", "file_uri").encode(),
        "twice, the last counts": with_cache.replace(
            '"cachedContent"', '"cachedContent": null, "cachedContent"'
        ).encode(),
        "both spellings": with_cache.replace(
            '"cachedContent"', '"cached_content": "cachedContents/x", "cachedContent"'
        ).encode(),
        "with a mark": b"\xef\xbb\xbf" + with_cache.encode(),
        "utf-16": with_cache.encode("utf-16"),
        "utf-16 without a mark": with_cache.encode("utf-16-le"),
        "utf-32": with_cache.encode("utf-32"),
        "a bare name": plain.replace(uri, file).encode(),
        "http": plain.replace("https://", "http://").encode(),
        "a port": plain.replace(".com/", ".com:443/").encode(),
        "upper case": plain.replace("generativelanguage", "GenerativeLanguage").encode(),
        "a query": plain.replace(file, f"{file}?alt=media").encode(),
        "a download": plain.replace(file, f"{file}:download?alt=media").encode(),
        "white space": plain.replace(uri, f" {uri} ").encode(),
        "another version": plain.replace("v1beta/", "v1/").encode(),
        "one turn": json.dumps({"contents": {"parts": part}}).encode(),
        "tool response": json.dumps(
            {"contents": [{"parts": [{"functionResponse": {"name": "f", "parts": [part]}}]}]}
        ).encode(),
    }


SPELLINGS = tuple(bodies("files/x", "cachedContents/x"))


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("target", [GENERATE, stream_of()], ids=["unary", "stream"])
async def test_no_body_uses_what_is_anothers(house: StartHouse, spelling: str, target: str) -> None:
    started, file, cached = await theirs(house)
    body = bodies(file, cached)[spelling]

    foreign = await started.send("POST", target, body, key=BOB)
    packed = {"Content-Encoding": "gzip"}
    zipped = await started.send("POST", target, gzip.compress(body), key=BOB, headers=packed)

    assert foreign.status >= 400, foreign.body
    assert zipped.status >= 400
    assert [one for one in started.came() if not one.status] == []


async def test_a_body_in_pieces_hides_nothing(house: StartHouse) -> None:
    started, file, cached = await theirs(house)
    body = bodies(file, cached)["plain"]
    async with started.proxy.connect() as connection:
        head = f"POST {GENERATE} HTTP/1.1\r\nHost: h\r\nx-goog-api-key: {BOB}\r\n"
        pieces = b"".join(b"1\r\n%c\r\n" % value for value in body) + b"0\r\n\r\n"
        sent = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + pieces
        await asyncio.get_running_loop().sock_sendall(connection.socket, sent)
        answer = await connection.answer()

    assert answer.status >= 400
    assert started.came() == []


async def test_a_large_body_hides_nothing(house: StartHouse) -> None:
    """A body that is too large to keep is refused, or read to its end."""
    started, file, _ = await theirs(house)
    uri = f"https://generativelanguage.googleapis.com/v1beta/{file}"
    parts = [{"text": "x" * (40 << 20)}, {"fileData": {"fileUri": uri}}]
    body = json.dumps({"contents": [{"parts": parts}]}).encode()

    assert (await started.send("POST", GENERATE, body, key=BOB)).status >= 400
    assert started.came() == []
