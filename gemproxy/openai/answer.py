"""One answer to a chat request: what all its choices share.

A request for n choices has n generations, and one answer with one id, one usage and one end. The
first frame of any of them that begins gives the id. All that would differ between two runs over the
same frames is given from outside: the time, and the id of the request.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from gemproxy.openai import usage
from gemproxy.openai.asked import Telling

Json = dict[str, Any]


@attrs.define
class Answer:
    """What the choices of one answer share.

    ``created`` is a Unix time in seconds. ``n`` is the number of choices. ``request_id`` stands for
    Gemini's responseId where there is none. ``links`` has links to pictures by their base64, put
    there before the frame with the picture is read. ``begun``: a frame has come, so that the id
    stands.
    """

    telling: Telling
    request_id: str
    created: int
    n: int = 1
    drawn: Callable[[str, str], object] = attrs.field(default=lambda *_: None, repr=False)
    links: dict[str, list[str]] = attrs.field(factory=dict, repr=False)
    begun: bool = False
    id: str = attrs.field(init=False)
    _version: str | None = None
    _tier: str | None = None
    _usages: dict[int, Mapping[str, Any]] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.id = f"chatcmpl-{self.request_id}"

    def begin(self, document: Mapping[str, Any]) -> None:
        """Take the first frame of a choice; that of the first one names the answer."""
        if self.begun:
            return
        self.begun = True
        response_id, version = document.get("responseId"), document.get("modelVersion")
        if isinstance(response_id, str) and response_id:
            self.id = f"chatcmpl-{response_id}"
        self._version = version if isinstance(version, str) else None
        counts = document.get("usageMetadata")
        self._tier = usage.tier(counts) if isinstance(counts, dict) else None

    def link(self, data: str) -> str:
        """Return a link to a picture and forget it; an empty text if there is none."""
        if not self.links:
            return ""
        urls = self.links.get(data, [])
        url = urls.pop() if urls else ""
        if not urls:
            self.links.pop(data, None)
        return url

    def end(self, choice: int, counts: Mapping[str, Any]) -> bool:
        """Take the last usageMetadata of a choice that ended; return whether all have ended."""
        self._usages[choice] = counts
        over = len(self._usages) == self.n
        if over and self._tier is None:
            self._tier = usage.tier(counts)
        return over

    def usage(self) -> Json:
        """Return the usage of the choices that have ended."""
        return usage.told(self._usages.values())

    def head(self, kind: str) -> Json:
        """Return the fields that begin each object of this answer; ``kind`` is its ``object``."""
        head = {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.telling.model,
            "system_fingerprint": self._version,
        }
        return head if self._tier is None else {**head, "service_tier": self._tier}
