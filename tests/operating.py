"""A browser without a screen and without scripts: it signs in, keeps cookies, and sends forms."""

import json
import re
from collections.abc import Mapping, Sequence
from html import unescape
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urljoin

import attrs

from tests.running import Proxy, StartProxy
from tests.wire import Answer

SECRET = "w7Kq2mXv9TzRw4Lp8sDfGh3J"
HTML = {"Accept": "text/html"}
FORM = "application/x-www-form-urlencoded"
_TOKEN = re.compile(r'name="form_token" value="(\w+)"')


@attrs.define
class Browser:
    """Visits the pages of one proxy; ``headers`` go with every request."""

    served: Proxy
    headers: dict[str, str] = attrs.field(factory=dict)
    cookies: dict[str, str] = attrs.field(factory=dict)
    form_token: str = ""

    async def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        """Return a page, and take the token for its forms."""
        answer = await self._ask(path, b"", headers or {}, "GET")
        found = _TOKEN.search(answer.body.decode(errors="replace"))
        self.form_token = found[1] if found else self.form_token
        return answer

    async def post(
        self, path: str, fields: Mapping[str, str | Sequence[str]], token: str | None = None
    ) -> Answer:
        """Send a form; a field with several values comes several times."""
        token = self.form_token if token is None else token
        body = urlencode({"form_token": token, **fields}, doseq=True).encode()
        return await self._ask(path, body, {"Content-Type": FORM}, "POST")

    async def sign_in(self, secret: str = SECRET, path: str = "/admin/sign-in") -> Answer:
        answer = await self.post(path, {"secret": secret})
        if answer.status == 303:
            await self.get("/admin/")
        return answer

    async def _ask(self, path: str, body: bytes, headers: dict[str, str], method: str) -> Answer:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        kept = {"Cookie": cookie} if cookie else {}
        sent = HTML | self.headers | kept | headers
        answer = await self.served.ask(path, body, sent, method=method)
        for line in answer.headers.getall("Set-Cookie", ()):
            for name, morsel in SimpleCookie(line).items():
                if morsel.value and morsel["max-age"] != "0":
                    self.cookies[name] = morsel.value
                else:
                    self.cookies.pop(name, None)
        return answer


def words_of(answer: Answer) -> str:
    """Return the text of a page, as a reader sees it."""
    return unescape(re.sub(r"<[^>]*>", " ", answer.body.decode()))


def target_of(path: str, answer: Answer) -> str:
    """Return the path to which an answer sends the browser that asked for ``path``."""
    return urljoin(path, answer.headers["Location"])


async def signed_in(proxy: StartProxy, url: str, /, **sections: Any) -> Browser:
    """Start a proxy with a secret, and sign in."""
    admin = {"secret": SECRET, **sections.pop("admin", {})}
    browser = Browser(await proxy(url, admin=admin, **sections))
    assert (await browser.sign_in()).status == 303
    return browser


async def told(browser: Browser, path: str) -> Any:
    """Return what the admin API says at a path below its base."""
    headers = {"x-admin-secret": SECRET}
    answer = await browser.served.ask(f"/admin/api/v1{path}", b"", headers, "GET")
    return json.loads(answer.body)


async def news(browser: Browser, path: str) -> dict[str, Any]:
    """Return what the page's stream says first."""
    async with browser.served.connect() as connection:
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        await connection.send(
            path, b"", {"Accept": "text/event-stream", "Cookie": cookie}, method="GET"
        )
        await connection.head()
        line = await connection.chunk()
    found: dict[str, Any] = json.loads(line.decode().removeprefix("data: "))
    return found
