"""A proxy in pool mode in front of the fake Gemini with projects, and its clients.

Keys and access keys look like real ones, so that a test can search every output for them.
"""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from gemproxy.chaos.cloud import Arrival, Cloud
from gemproxy.chaos.projects import Project, Quota
from gemproxy.chaos.server import ChaosServer
from tests.running import Proxy
from tests.wire import Answer, body_of

K1, K2, K3 = (
    "AIzaSyB1f9c27d404be4a0f8f3e6a51c7d0c9b2e1",
    "AQ.Ab8c5f07d2e941b6a3f7e0d5c8b1a4f6e9d2c7b0",
    "AIzaSyD3e7a19c652fd4b8098c1f4e7b0a3d6c9f2",
)
"""K1 and K2 are keys of project P1, K3 of P2."""

ANN, BOB = "gp-8f3a61c0d95e47b2a7c4f019", "gp-2b7e94d1f06c48a3b5d8e362"
"""The access keys of two users, who are called ann and bob."""

MODEL, OTHER = "gemini-3.5-flash", "gemini-2.5-flash"
SECRETS = (K1, K2, K3, ANN, BOB)


def projects(first: Quota | None = None, second: Quota | None = None) -> list[Project]:
    """Return P1 with two keys and P2 with one, with their quotas."""
    return [
        Project("P1", (K1, K2), first or Quota()),
        Project("P2", (K3,), second or Quota()),
    ]


def keys_of(fake: list[Project]) -> dict[str, list[str]]:
    """Return the projects as the setting ``pool.projects`` has them."""
    return {project.name: list(project.keys) for project in fake}


def access(key: str = ANN) -> dict[str, str]:
    """Return the header of a client with an access key."""
    return {"x-goog-api-key": key}


def stream_of(model: str = MODEL) -> str:
    """Return the target of a stream."""
    return f"/v1beta/models/{model}:streamGenerateContent?alt=sse"


@attrs.frozen
class House:
    """The proxy, and the fake behind it."""

    fake: ChaosServer
    proxy: Proxy

    @property
    def cloud(self) -> Cloud:
        """The keys' state at the fake, and what came there."""
        return self.fake.cloud

    async def ask(
        self, prompt: str = "Hello", *, key: str = ANN, model: str = MODEL, **body: Any
    ) -> Answer:
        """Stream the answer to a prompt."""
        document = {**json.loads(body_of(prompt)), **body}
        return await self.send("POST", stream_of(model), document, key=key)

    async def send(
        self,
        method: str,
        target: str,
        document: Mapping[str, Any] | bytes = b"",
        *,
        key: str = ANN,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send any request with an access key."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        sent = {**access(key), "Content-Type": "application/json", **(headers or {})}
        return await self.proxy.ask(target, body, sent, method)

    def came(self, who: str = "*", model: str = "") -> list[Arrival]:
        """Return the generations that came to the fake, from a key or a project."""
        return [one for one in self.cloud.came(who, model) if one.model]

    def keys(self, model: str = "") -> list[str]:
        """Return the keys of the generations that came to the fake, in order."""
        return [one.key for one in self.came(model=model)]
