"""Memory that is lent to a connection: what all share first, then the reader's own."""

import attrs

from gemproxy.relay.filling import GULP, SIP, Filling


@attrs.define(eq=False)
class Behind:
    """Notes what it is told."""

    told: list[object] = attrs.field(factory=list)

    def data_received(self, data: memoryview) -> None:
        self.told.append(bytes(data))

    def filled(self, size: int) -> None:
        self.told.append(size)

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def eof_received(self) -> None:
        self.told.append("eof")

    def connection_lost(self, error: Exception | None) -> None:
        self.told.append(error)


def came(filling: Filling, data: bytes) -> None:
    """Read ``data`` as a connection does."""
    while data:
        here = filling.get_buffer(-1)
        size = min(len(here), len(data))
        here[:size] = data[:size]
        filling.buffer_updated(size)
        data = data[size:]


def test_bytes_go_on_until_a_reader_lends_memory_and_again_when_it_is_full() -> None:
    behind, target = Behind(), bytearray(5)
    filling = Filling(behind, memoryview(bytearray(GULP)))
    came(filling, b"head")
    filling.fill(memoryview(target))
    came(filling, b"bo")
    came(filling, b"dy!")
    came(filling, b"behind")

    assert behind.told == [b"head", 2, 3, b"behind"]
    assert bytes(target) == b"body!"


def test_memory_that_was_taken_back_is_not_written_to() -> None:
    behind, target = Behind(), bytearray(5)
    filling = Filling(behind, memoryview(bytearray(GULP)))
    filling.fill(memoryview(target))
    filling.stop()
    came(filling, b"late")

    assert (behind.told, bytes(target)) == ([b"late"], bytes(5))
    target.append(0)  # nothing refers to it


def test_little_is_read_at_once_until_much_is_wanted() -> None:
    filling = Filling(Behind(), memoryview(bytearray(GULP)))
    assert len(filling.get_buffer(-1)) == SIP
    filling.gulp()
    assert len(filling.get_buffer(-1)) == GULP


def test_all_other_news_goes_on() -> None:
    behind, error = Behind(), ConnectionResetError()
    filling = Filling(behind, memoryview(bytearray(GULP)))
    filling.pause_writing()
    filling.resume_writing()
    filling.eof_received()
    filling.connection_lost(error)

    assert behind.told == ["pause", "resume", "eof", error]
