"""The admin API over sockets: who is let in, what is never sent up, and where it is."""

import base64
import json
from typing import Any

import pytest
from aiohttp import web

from gemproxy.admin.guard import GUARD, Attempts
from gemproxy.admin.table import ROUTES
from gemproxy.routes.parts import IN_FLIGHT
from gemproxy.web.admin import own_app
from gemproxy.web.middlewares import MIDDLEWARES
from tests.gemini import BODY, chunk, sse
from tests.replies import replying, sse_reply
from tests.running import AccessLog, Proxy, StartProxy
from tests.wire import STREAM

SECRET = "w7Kq2mXv9TzRw4Lp8sDfGh3J"
ANN = "gp-7Kq2mXv9TzRw4Lp8"
DOCUMENT = "/admin/api/v1/openapi.json"
BEARER = {"Authorization": f"Bearer {SECRET}"}
WHOLE = sse(chunk("All of it.", finish="STOP"))


async def started(proxy: StartProxy, url: str, **sections: Any) -> Proxy:
    admin = {"secret": SECRET, **sections.pop("admin", {})}
    return await proxy(url, admin=admin, **sections)


def error_of(answer: Any) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(answer.body)["error"]
    return error


async def test_without_a_setting_every_path_is_refused_and_names_it(proxy: StartProxy) -> None:
    async with replying() as upstream:
        served = await proxy(upstream.url)
        for path in ("/admin", DOCUMENT, "/admin/config/thinking", "//ADMIN/x", "/docs"):
            answer = await served.ask(path, b"", BEARER, method="GET")
            assert answer.status == 403
            assert "admin.secret" in error_of(answer)["message"]

    assert upstream.seen == []


@pytest.mark.parametrize(
    "headers", [BEARER, {"x-admin-secret": SECRET}, {"X-Admin-Secret": SECRET}]
)
async def test_the_secret_opens_the_api(
    proxy: StartProxy, headers: dict[str, str], access_log: AccessLog
) -> None:
    async with replying() as upstream:
        served = await started(proxy, upstream.url)
        answer = await served.ask(DOCUMENT, b"", headers, method="GET")
        async with served.connect() as connection:
            await connection.send(DOCUMENT, b"", headers, method="HEAD")
            status, _ = await connection.head()

    assert (answer.status, status) == (200, 200)
    assert json.loads(answer.body)["openapi"] == "3.1.0"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in answer.headers
    line = await access_log.line()
    assert line["route"] == "admin"
    assert SECRET not in str(line)


CREDENTIALS = {
    "none": ({}, 401),
    "wrong": ({"Authorization": "Bearer wrong"}, 401),
    "nearly": ({"x-admin-secret": SECRET[:-1]}, 401),
    "an access key": ({"Authorization": f"Bearer {ANN}"}, 403),
    "an access key elsewhere": ({"x-goog-api-key": ANN}, 403),
    "a Gemini key": ({"x-goog-api-key": "AIzaSyAnother"}, 401),
    "a Gemini key as Bearer": ({"Authorization": "Bearer AIzaSyPool"}, 401),
    "Basic": ({"Authorization": "Basic " + base64.b64encode(f"x:{SECRET}".encode()).decode()}, 401),
}


@pytest.mark.parametrize(("headers", "status"), CREDENTIALS.values(), ids=CREDENTIALS.keys())
async def test_nobody_else_is_let_in_anywhere(
    proxy: StartProxy, headers: dict[str, str], status: int
) -> None:
    async with replying() as upstream:
        served = await started(
            proxy, upstream.url, pool={"keys": "AIzaSyPool"}, access={"keys": {"ann": ANN}}
        )
        for row in ROUTES:
            served.app[GUARD].attempts = Attempts()
            target = (row.base + row.path).replace("{", "").replace("}", "")
            answer = await served.ask(target, b"", headers, method=row.method)
            assert answer.status == status, row.path
            assert error_of(answer)["code"] == status
            assert error_of(answer)["details"][0]["requestId"] == answer.headers["X-Request-Id"]

    assert upstream.seen == []


async def test_the_secret_in_the_url_is_refused(proxy: StartProxy) -> None:
    async with replying() as upstream:
        served = await started(proxy, upstream.url)
        answer = await served.ask(f"{DOCUMENT}?key={SECRET}", b"", {}, method="GET")

    assert answer.status == 401


async def test_attempts_of_an_address_are_limited(proxy: StartProxy) -> None:
    async with replying() as upstream:
        served = await started(proxy, upstream.url)
        statuses = [
            (await served.ask(DOCUMENT, b"", {"x-admin-secret": f"{n}"}, method="GET")).status
            for n in range(11)
        ]
        late = await served.ask(DOCUMENT, b"", BEARER, method="GET")

    assert statuses == [401] * 10 + [429]
    assert late.status == 429
    assert 0 < int(late.headers["Retry-After"]) <= 60


SPELLINGS = [
    *("//admin/api/v1/keys", "/admin%2Fapi/v1/keys", "/ADMIN/api/v1/keys", "/v1beta/../admin"),
    *("/gateway/admin/api/v1/keys", "/admin/api/v1/keyz", "/%61dmin/api", "/admin/api/v1/keys/"),
    *("/admin:generateContent", "/admin/api/v1:streamGenerateContent", "/v1/admin/upload/v1/x"),
]


@pytest.mark.parametrize("path", SPELLINGS)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_no_spelling_of_an_admin_path_goes_up(
    proxy: StartProxy, path: str, method: str
) -> None:
    async with replying() as upstream:
        served = await started(proxy, upstream.url)
        right = await served.ask(path, b"{}", BEARER, method=method)
        none = await served.ask(path, b"{}", {"x-goog-api-key": "AIzaSyOwn"}, method=method)

    assert right.status in {404, 405}
    assert none.status == 401
    assert upstream.seen == []


PLACES: dict[str, tuple[str, dict[str, str]]] = {
    "Bearer": ("", {"Authorization": f"Bearer {SECRET}"}),
    "bare Authorization": ("", {"Authorization": SECRET}),
    "its own header": ("", {"x-admin-secret": SECRET}),
    "x-goog-api-key": ("", {"x-goog-api-key": SECRET}),
    "x-api-key": ("", {"x-api-key": SECRET}),
    "another header": ("", {"x-note": SECRET, "x-goog-api-key": "AIzaSyOwn"}),
    "a cookie": ("", {"Cookie": f"a=b; session={SECRET}", "x-goog-api-key": "AIzaSyOwn"}),
    "Basic": ("", CREDENTIALS["Basic"][0]),
    "key": (f"key={SECRET}", {}),
    "access_token": (f"access_token={SECRET}", {}),
    "another parameter": (f"x={SECRET}", {"x-goog-api-key": "AIzaSyOwn"}),
}


@pytest.mark.parametrize(("query", "headers"), PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize("mode", ["passthrough", "pool"])
async def test_the_secret_never_goes_up(
    proxy: StartProxy, mode: str, query: str, headers: dict[str, str]
) -> None:
    pool = {"keys": "AIzaSyPool", "mode": mode}
    async with replying(sse_reply(WHOLE)) as upstream:
        served = await started(proxy, upstream.url, pool=pool, access={"keys": {"ann": ANN}})
        for target in (STREAM, "/v1beta/files", "/v1/chat/completions", "/v1beta/ws/x"):
            asked = f"{target}{'&' if '?' in target else '?'}{query}" if query else target
            answer = await served.ask(asked, BODY, headers)
            assert answer.status in {401, 404}
            assert SECRET not in answer.body.decode()

    assert upstream.seen == []


async def test_a_wrong_secret_in_its_header_does_not_go_up(proxy: StartProxy) -> None:
    async with replying(sse_reply(WHOLE)) as upstream:
        served = await started(proxy, upstream.url)
        headers = {"x-goog-api-key": "AIzaSyOwn", "x-admin-secret": "mistyped"}
        answer = await served.ask(STREAM, BODY, headers)

    assert answer.status == 200
    assert "mistyped" not in str(upstream.seen)


async def test_a_host_name_that_others_may_own_is_refused(proxy: StartProxy) -> None:
    async with replying() as upstream:
        served = await started(
            proxy, upstream.url, admin={"hosts": ("gem.example.org",)}, server={"port": 0}
        )
        statuses = {
            host: (await served.ask(DOCUMENT, b"", {**BEARER, "Host": host}, method="GET")).status
            for host in ("evil.test", "localhost:80", "gemproxy", "[::1]:9", "gem.example.org")
        }

    assert statuses.pop("evil.test") == 421
    assert set(statuses.values()) == {200}


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
async def test_pages_of_other_sites_change_nothing(
    proxy: StartProxy, headers: dict[str, str]
) -> None:
    async with replying() as upstream:
        served = await started(proxy, upstream.url, server={"cors_origins": ("https://evil.test",)})
        answer = await served.ask("/admin/api/v1/keys", b"{}", {**BEARER, **headers})
        preflight = {**headers, "Access-Control-Request-Method": "POST"}
        asked = await served.ask("/admin/api/v1/keys", b"", preflight, method="OPTIONS")

    assert (answer.status, asked.status) == (403, 401)
    for one in (answer, asked):
        assert not [name for name in one.headers if name.lower().startswith("access-control")]


async def test_a_full_proxy_can_be_looked_at(proxy: StartProxy) -> None:
    async with replying() as upstream:
        served = await started(proxy, upstream.url)
        served.app[IN_FLIGHT].limit = 0
        full = await served.ask(STREAM)
        answer = await served.ask(DOCUMENT, b"", BEARER, method="GET")

    assert (full.status, answer.status) == (503, 200)


async def test_the_page_is_offline_and_open(proxy: StartProxy) -> None:
    async with replying() as upstream:
        served = await started(proxy, upstream.url)
        files = {
            name: await served.ask(f"/docs{name}", b"", {"x": "1"}, method="GET")
            for name in ("", "/viewer.js", "/viewer.css", "/start.js", "/openapi.json")
        }
        missing = await served.ask("/docs/../conf", b"", {"x": "1"}, method="GET")
        posted = await served.ask("/docs", b"", BEARER)

    assert {answer.status for answer in files.values()} == {200}
    policy = files[""].headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert b"http" not in files[""].body
    assert json.loads(files["/openapi.json"].body)["openapi"] == "3.0.3"
    assert (missing.status, posted.status) == (404, 405)
    assert upstream.seen == []


async def test_with_a_port_of_its_own_it_is_nowhere_else(proxy: StartProxy) -> None:
    async with replying() as upstream:
        served = await started(proxy, upstream.url, admin={"port": 9})
        runner = web.AppRunner(own_app(served.app, MIDDLEWARES), auto_decompress=False)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            own = Proxy(f"http://127.0.0.1:{site.port}", served.app)
            there = await own.ask(DOCUMENT, b"", BEARER, method="GET")
            nothing = await own.ask("/v1beta/models", b"", BEARER, method="GET")
            page = await own.ask("/docs", b"", {"x": "1"}, method="GET")
            nobody = await own.ask(STREAM, BODY, {"x-goog-api-key": "AIzaSyOwn"})
        finally:
            await runner.cleanup()
        here = [
            await served.ask(path, b"", headers, method="GET")
            for path in (DOCUMENT, "//ADMIN/x", "/docs")
            for headers in (BEARER, {"x": "1"})
        ]

    assert (there.status, nothing.status, page.status, nobody.status) == (200, 404, 200, 401)
    assert there.headers["Cache-Control"] == "no-store"
    assert {answer.status for answer in here} == {404}
    assert upstream.seen == []
