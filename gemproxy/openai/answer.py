"""One answer to a chat request: what all its choices share.

A request for n choices has n generations, and one answer with one id, one usage and one end. The
first frame of any of them that begins gives the id. All that would differ between two runs over the
same frames is given from outside: the time, and the id of the request.
"""

from collections.abc import Callable, Mapping, Sequence
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
    there before the frame with the picture is read. ``mark`` begins what stands for a large picture
    until the answer is written; it is random, so that no model says it. ``begun``: a frame has
    come, so that the id stands.
    """

    telling: Telling
    request_id: str
    created: int
    n: int = 1
    drawn: Callable[[str | bytes | memoryview, str], object] = attrs.field(
        default=lambda *_: None, repr=False
    )
    links: dict[str, list[str]] = attrs.field(factory=dict, repr=False)
    mark: str = "@picture-"
    begun: bool = False
    id: str = attrs.field(init=False)
    _version: str | None = None
    _tier: str | None = None
    _usages: dict[int, Mapping[str, Any]] = attrs.field(factory=dict)
    _large: dict[bytes, bytes | memoryview] = attrs.field(factory=dict, repr=False)

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

    def stand_in(self, data: bytes | memoryview) -> str:
        """Return what stands for the base64 of a large picture until ``filled``."""
        name = f"{self.mark}{len(self._large)}."
        self._large[name.encode()] = data
        return name

    def filled(self, written: bytes) -> Sequence[bytes | memoryview]:
        """Return the pieces of JSON, with the large pictures in their places; forget these."""
        if not self._large:
            return [written]
        mark, at = self.mark.encode(), 0
        pieces: list[bytes | memoryview] = []
        while (begin := written.find(mark, at)) >= 0:
            end = written.find(b".", begin) + 1
            pieces += [written[at:begin], self._large[written[begin:end]]]
            at = end
        self._large.clear()
        return [*pieces, written[at:]]

    def link(self, data: str | bytes | memoryview) -> str:
        """Return a link to a picture and forget it; an empty text if there is none."""
        if not self.links:
            return ""
        data = data if isinstance(data, str) else str(data, "ascii")
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
