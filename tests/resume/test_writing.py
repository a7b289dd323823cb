"""The reader that writes a log: the store first, then the log, then whoever waits."""

from collections.abc import Callable

import attrs
import pytest

from gemproxy.core.repair.events import Frames, Out, Run
from gemproxy.core.wire.frame import Frame
from gemproxy.resume.log import Broken, Ending, Head, Passed, Whole
from gemproxy.resume.shelf import Shelf
from gemproxy.resume.stream import Stream
from gemproxy.resume.writing import LogReader
from tests.resume.test_shelf import BOUNDS, FRAME, stream

RUN = Run(b"data: {}\r\n\r\n", 1, b"\r\n\r\n", texts=["a"])


@attrs.define(eq=False)
class Told(Shelf):
    """A store that notes what the log has when it is asked to keep something."""

    seen: list[int | None] = attrs.field(factory=list)

    async def write(self, stream: Stream, out: Out) -> None:
        self.seen.append(stream.log.top)

    async def end(self, stream: Stream, ending: Ending) -> None:
        self.seen.append(None)


def writer(*, texts: bool = False) -> tuple[LogReader, Told, list[int]]:
    store = Told(BOUNDS)
    made = stream(store)
    news: list[int] = []
    made.news.add(lambda: news.append(made.log.top))
    return LogReader(made, store, "text/event-stream", texts), store, news


async def test_p17_frames_are_in_the_store_before_anybody_learns_of_them() -> None:
    reader, store, news = writer()

    await reader.open(200, {"A": "b"})
    assert await reader.offer((FRAME, FRAME))
    await reader.finish((FRAME,), None)

    assert store.seen == [0, 1, 2, None]
    assert news == [0, 2, 3]
    assert reader.stream.log.head == Head(200, {"A": "b"})
    assert reader.stream.log.ending == Whole()


@pytest.mark.parametrize(("texts", "kept"), [(False, []), (True, ["a"])])
async def test_texts_are_kept_for_voices_that_read_them(texts: bool, kept: list[str]) -> None:
    reader, _, _ = writer(texts=texts)

    await reader.offer((RUN,))

    (run,) = reader.stream.log.read(0)
    assert isinstance(run, Run)
    assert (list(run.texts), run.raw) == (kept, RUN.raw)


async def test_the_bytes_of_frames_are_counted() -> None:
    reader, _, _ = writer()

    await reader.offer((RUN, Frames((Frame(b"", b"{}"),))))
    await reader.settle()
    await reader.heartbeat()

    assert reader.sent == reader.output_size == len(RUN.raw) + 2


Step = Callable[[LogReader], object]


@pytest.mark.parametrize(
    ("name", "argument", "ending"),
    [("pass_on", b"[]", Passed(b"[]")), ("fail", {"error": {}}, Broken({"error": {}}))],
)
async def test_the_log_says_how_the_answer_ended(
    name: str, argument: object, ending: Ending
) -> None:
    reader, _, news = writer()

    await getattr(reader, name)(argument)
    await reader.end(Whole())

    assert reader.stream.log.ending == ending
    assert len(news) == 1
