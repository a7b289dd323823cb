"""The shelf in an object store, against a server that speaks S3 and against records of requests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import aiohttp
import attrs
import obstore
import pytest
from aiohttp import web
from botocore.auth import (  # type: ignore[import-untyped]  # it has no types
    S3SigV4Auth,
    S3SigV4QueryAuth,
)
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from multidict import CIMultiDictProxy
from yarl import URL

from gemproxy.images.bucket import PREFIX, RETRIES, Bucket, open_bucket
from gemproxy.images.names import new_name
from gemproxy.images.providers import PROVIDERS, Wish
from gemproxy.images.shelf import StoreDown
from gemproxy.images.store import PictureStore
from tests.images.samples import JPEG, PNG
from tests.s3 import make_bucket, running_s3

KEYS = {"access_key": "AKtest", "secret_key": "SKtest"}
AMAZON = "http://s3.eu-west-1.amazonaws.com"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Yield the URL of a server that speaks S3."""
    with running_s3() as url:
        yield url


@pytest.fixture(params=["path", "virtual"])
async def bucket(
    request: pytest.FixtureRequest, s3: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bucket]:
    """Yield a new bucket, in each style."""
    name = f"pics-{new_name('image/png')[:20]}"
    make_bucket(s3, name)
    if request.param == "virtual":
        monkeypatch.setenv("HTTP_PROXY", s3)
    endpoint = AMAZON if request.param == "virtual" else s3
    wish = Wish("s3", endpoint, "eu-west-1", name, addressing=request.param, **KEYS)
    async with open_bucket(wish, "", 60, 0.0) as opened:
        yield opened


async def fetched(url: str) -> tuple[int, CIMultiDictProxy[str], bytes]:
    async with aiohttp.ClientSession(trust_env=True) as session, session.get(url) as answer:
        return answer.status, answer.headers, await answer.read()


async def names(shelf: Bucket) -> set[str]:
    return {name async for name, *_ in shelf.names()}


async def test_a_picture_is_kept_linked_found_and_deleted(bucket: Bucket) -> None:
    name, data = new_name("image/jpeg"), JPEG + bytes(1 << 20)
    await bucket.put(name, data)

    found = await bucket.find(name)
    status, headers, body = await fetched(await bucket.link(name))

    assert found is not None
    assert found.size == len(data)
    assert abs(found.since - datetime.now(UTC).timestamp()) < 100
    assert b"".join([piece async for piece in found.pieces]) == data
    assert (status, body, headers["Content-Type"]) == (200, data, "image/jpeg")
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert await names(bucket) == {name}
    await bucket.delete(name)
    await bucket.delete(name)
    assert await bucket.find(name) is None
    assert await names(bucket) == set()


async def test_a_sweep_deletes_expired_pictures_and_nothing_of_others(
    bucket: Bucket,
) -> None:
    later = 0.0
    pictures = PictureStore(bucket, lasting=60, now=lambda: datetime.now(UTC).timestamp() + later)
    kept = [await pictures.put(PNG) for _ in range(3)]
    foreign = (f"{new_name('image/png')}", f"{PREFIX}notes.png", f"other/{new_name('image/png')}")
    for key in foreign:
        obstore.put(bucket._store, key, PNG)
    later = 3600.0
    await pictures.sweep()

    for key in foreign:
        assert obstore.head(bucket._store, key)["size"] == len(PNG)
    assert await names(bucket) == {"notes.png"}
    assert [await pictures.get(one.name) for one in kept] == [None, None, None]


async def test_a_bucket_that_is_not_there_says_so_without_its_name(s3: str) -> None:
    wish = Wish("s3", s3, "eu-west-1", "nobodys", **KEYS)
    async with open_bucket(wish, "", 60, 0.0) as shelf:
        with pytest.raises(StoreDown) as caught:
            await shelf.put(new_name("image/png"), PNG)

    assert str(caught.value) == "the bucket or the folder is missing"


@attrs.frozen
class Asked:
    """A request as a provider gets it."""

    method: str
    url: URL
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def scope(self) -> str:
        """The date, region and service that the signature is for, and the key's id."""
        signed = self.url.query.get("X-Amz-Credential")
        if signed is None:
            signed = self.headers["Authorization"].partition("Credential=")[2].partition(",")[0]
        key, _, region, service, _ = signed.split("/")
        return f"{key} {region} {service}"

    def is_signed(self, region: str) -> bool:
        """Return whether the signature in the headers is the one of the key."""
        fields = self.headers["Authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(", ")
        said = dict(field.split("=", 1) for field in fields)
        signed = {name: self.headers[name] for name in said["SignedHeaders"].split(";")}
        auth = S3SigV4Auth(Credentials("AKtest", "SKtest"), "s3", region)
        request = AWSRequest(self.method, str(self.url), headers=signed)
        request.context["timestamp"] = self.headers["x-amz-date"]
        text = auth.string_to_sign(request, auth.canonical_request(request))
        return bool(said["Signature"] == auth.signature(text, request))


@attrs.frozen
class Provider:
    """Stands for a provider, as the HTTP proxy on the way to its host; keeps what it was asked."""

    url: str
    asked: list[Asked]


Answering = Callable[[web.Request], web.StreamResponse]


@contextlib.asynccontextmanager
async def provider(answer: Answering = lambda _: _good()) -> AsyncIterator[Provider]:
    asked: list[Asked] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        url = URL(f"http://{request.host}{request.raw_path}", encoded=True)
        if request.raw_path.startswith("http"):
            url = URL(request.raw_path, encoded=True)
        asked.append(Asked(request.method, url, request.headers, await request.read()))
        return answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield Provider(f"http://127.0.0.1:{site.port}", asked)
    finally:
        await runner.cleanup()


EMPTY = b"""<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>
<Name>pics-125</Name><IsTruncated>false</IsTruncated></ListBucketResult>"""


def _good_or_empty(request: web.Request) -> web.StreamResponse:
    listing = "list-type" in request.query_string
    return web.Response(body=EMPTY, content_type="application/xml") if listing else _good()


def _good() -> web.Response:
    headers = {"ETag": '"x"', "Last-Modified": "Sun, 29 Nov 2026 00:00:00 GMT"}
    return web.Response(body=PNG, headers=headers)


# Storage, region as people write it, host, its signature's region, bucket in front of the host?
HOSTS = [
    ("s3", "eu-west-1", "s3.eu-west-1.amazonaws.com", "eu-west-1", True),
    ("qiniu", "cn-east-1", "s3.cn-east-1.qiniucs.com", "cn-east-1", False),
    ("tencent", "ap-guangzhou", "cos.ap-guangzhou.myqcloud.com", "ap-guangzhou", True),
    ("aliyun", "oss-cn-hangzhou", "s3.oss-cn-hangzhou.aliyuncs.com", "cn-hangzhou", True),
    ("r2", "", "0123abcd.r2.cloudflarestorage.com", "auto", False),
    ("minio", "", "minio.test", "us-east-1", False),
]


def test_every_provider_is_recorded() -> None:
    assert {storage for storage, *_ in HOSTS} == PROVIDERS.keys()


NOT_TAKEN = {"transfer-encoding", "content-md5", "if-none-match", "expect", "content-encoding"}
"""Headers that some provider refuses, or takes for something else."""


@pytest.mark.parametrize(("storage", "region", "host", "signed", "virtual"), HOSTS)
async def test_a_provider_is_asked_in_its_style_with_plain_headers(
    monkeypatch: pytest.MonkeyPatch,
    storage: str,
    region: str,
    host: str,
    signed: str,
    virtual: bool,
) -> None:
    name = new_name("image/png")
    async with provider(_good_or_empty) as there:
        monkeypatch.setenv("HTTP_PROXY", there.url)
        wish = Wish(storage, f"http://{host}", region, "pics-125", **KEYS)
        async with open_bucket(wish, "", 600, 3600.0) as shelf:
            await shelf.put(name, PNG)
            await shelf.find(name)
            link = URL(await shelf.link(name), encoded=True)
            await shelf.delete(name)
            _ = await names(shelf)

    put, get, delete, listed = there.asked
    base = f"http://pics-125.{host}" if virtual else f"http://{host}/pics-125"
    expected = f"{base}/{PREFIX}{name}"
    assert [one.method for one in there.asked] == ["PUT", "GET", "DELETE", "GET"]
    assert {str(one.url.with_query(None)) for one in there.asked[:3]} == {expected}
    assert str(listed.url.with_query(None)).rstrip("/") == base
    assert dict(listed.url.query) == {"list-type": "2", "prefix": PREFIX}
    assert listed.is_signed(signed)
    assert {one.scope for one in there.asked} == {f"AKtest {signed} s3"}
    assert put.is_signed(signed)
    assert get.is_signed(signed)
    assert put.body == PNG
    assert put.headers["Content-Type"] == "image/png"
    assert put.headers["Content-Length"] == str(len(PNG))
    assert put.headers["Cache-Control"] == "public, max-age=3600, immutable"
    assert not put.url.query
    assert delete.url.query["X-Amz-Expires"] == "300"
    assert "Authorization" not in delete.headers
    assert str(link.with_query(None)) == expected
    assert link.query["X-Amz-Expires"] == "600"
    assert link.query["X-Amz-Credential"].split("/")[2] == signed
    for one in there.asked:
        sent = {header.lower() for header in one.headers if header.lower().startswith("x-amz")}
        assert sent <= {"x-amz-date", "x-amz-content-sha256"}, "others are refused by look-alikes"
        assert not NOT_TAKEN & {header.lower() for header in one.headers}


@pytest.mark.parametrize(
    ("domain", "base"),
    [("https://pics.test", "https://pics.test"), ("http://pics.test/a/", "http://pics.test/a")],
)
async def test_a_domain_of_the_bucket_is_the_base_of_links(domain: str, base: str) -> None:
    name = new_name("image/png")
    wish = Wish("qiniu", region="cn-east-1", bucket="pics", **KEYS)
    async with open_bucket(wish, domain, 60, 0.0) as shelf:
        assert await shelf.link(name) == f"{base}/{PREFIX}{name}"


def checking(there: dict[str, bytes], now: Callable[[], datetime]) -> Answering:
    """Answer as a store does that looks at the signature of a link, and at its end."""

    def answer(request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        said = query.pop("X-Amz-Signature", "")
        url = f"http://{request.host}{request.path}?{urlencode(query, quote_via=quote, safe='')}"
        signing = S3SigV4QueryAuth(Credentials("AKtest", "SKtest"), "s3", "us-east-1")
        asked = AWSRequest(request.method, url, headers={"host": request.host})
        asked.context["timestamp"] = query.get("X-Amz-Date", "")
        text = signing.string_to_sign(asked, signing.canonical_request(asked))
        made = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        is_over = (now() - made).total_seconds() > int(query["X-Amz-Expires"])
        if said != signing.signature(text, asked) or is_over:
            return web.Response(status=403)
        return web.Response(body=there[request.path])

    return answer


async def test_a_signed_link_works_until_it_expires_and_for_one_picture() -> None:
    name, other = new_name("image/png"), new_name("image/png")
    objects = {f"/pics/{PREFIX}{name}": PNG, f"/pics/{PREFIX}{other}": JPEG}
    later = 0.0

    def now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=later)

    async with provider(checking(objects, now)) as there:
        wish = Wish("minio", there.url, bucket="pics", **KEYS)
        async with open_bucket(wish, "", 600, 0.0) as shelf:
            link = await shelf.link(name)
        seen = []
        for seconds in (0.0, 590.0, 700.0):
            later = seconds
            seen.append((await fetched(link))[::2])
        later = 0.0
        forged = [link.replace(name, other), link.replace("Expires=600", "Expires=90000")]
        refused = [(await fetched(one))[0] for one in forged]

    assert seen == [(200, PNG), (200, PNG), (403, b"")]
    assert refused == [403, 403]


async def test_two_that_sweep_a_bucket_at_once_do_no_harm(bucket: Bucket) -> None:
    later = 0.0
    stores = [
        PictureStore(bucket, lasting=60, now=lambda: datetime.now(UTC).timestamp() + later)
        for _ in range(2)
    ]
    for _ in range(6):
        await stores[0].put(PNG)
    later = 3600.0
    await asyncio.gather(*(store.sweep() for store in stores))

    assert await names(bucket) == set()
    assert [store.state()["status"] for store in stores] == ["ok", "ok"]


FOREIGN = {
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_SESSION_TOKEN": "a token of somebody else's",
    "AWS_CHECKSUM_ALGORITHM": "sha256",
    "AWS_UNSIGNED_PAYLOAD": "true",
    "AWS_SKIP_SIGNATURE": "true",
    "AWS_SERVER_SIDE_ENCRYPTION": "AES256",
    "AWS_REQUEST_PAYER": "true",
}


async def test_variables_of_other_programs_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in FOREIGN.items():
        monkeypatch.setenv(variable, value)
    async with provider() as there:
        wish = Wish("minio", there.url, bucket="pics", **KEYS)
        async with open_bucket(wish, "", 60, 0.0) as shelf:
            await shelf.put(new_name("image/png"), PNG)

    (put,) = there.asked
    sent = {header.lower() for header in put.headers if header.lower().startswith("x-amz")}
    assert sent == {"x-amz-date", "x-amz-content-sha256"}
    assert put.is_signed("us-east-1")


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (403, "the keys are refused"),
        (401, "the keys are refused"),
        (404, "the bucket or the folder is missing"),
        (400, "it answers with status 400"),
        (507, "it answers with status 507"),
    ],
)
async def test_a_refusal_is_told_without_its_text(status: int, why: str) -> None:
    said = web.Response(status=status, text="<Error><Message>SKtest pics</Message></Error>")
    async with provider(lambda _: web.Response(status=status, text=said.text)) as there:
        wish = Wish("minio", there.url, bucket="pics", **KEYS)
        async with open_bucket(wish, "", 60, 0.0) as shelf:
            with pytest.raises(StoreDown) as put:
                await shelf.put(new_name("image/png"), PNG)
            if status != 404:
                with pytest.raises(StoreDown) as delete:
                    await shelf.delete(new_name("image/png"))
                assert str(delete.value) == f"it answers a delete with status {status}"

    assert str(put.value) == why


@contextlib.asynccontextmanager
async def cutting(cuts: int) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Run a store that resets the first ``cuts`` connections in the middle of an upload.

    Yields its URL, and the objects that it has.
    """
    stored: list[bytes] = []
    left = cuts

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        head = await reader.readuntil(b"\r\n\r\n")
        if left:
            left -= 1
            await reader.readexactly(1000)
            writer.transport.abort()
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        stored.append(await reader.readexactly(length))
        writer.write(b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\n\r\n')
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 24) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", stored


@pytest.mark.parametrize("cuts", [1, 2, 3])
async def test_an_upload_that_is_cut_is_made_again_whole_or_fails(cuts: int) -> None:
    data = PNG + bytes(8 << 20)
    async with (
        cutting(cuts) as (url, stored),
        open_bucket(Wish("minio", url, bucket="pics", **KEYS), "", 60, 0.0) as shelf,
    ):
        putting = shelf.put(new_name("image/png"), data)
        if cuts <= RETRIES:
            await putting
        else:
            with pytest.raises(StoreDown):
                await putting

    assert stored == ([data] if cuts <= RETRIES else [])


async def test_a_store_that_is_down_says_so() -> None:
    wish = Wish("minio", "http://127.0.0.1:1", bucket="pics", **KEYS)
    async with open_bucket(wish, "", 60, 0.0) as shelf:
        pictures = PictureStore(shelf)
        with pytest.raises(StoreDown):
            await pictures.put(PNG)
        with pytest.raises(StoreDown):
            await pictures.get(new_name("image/png"))
        with pytest.raises(StoreDown):
            await pictures.delete(new_name("image/png"))
        await pictures.sweep()

    assert pictures.state()["status"] == "failing"
