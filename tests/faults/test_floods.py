"""The upstream does not end: it is stopped at a cap, and the proxy does not grow until then."""

from pathlib import Path

import pytest

from tests.faults.processes import serving, told_by_proc
from tests.faults.upstreams import OTHER, UNARY, Flood, is_googles_error
from tests.gemini import chunk, documents, sse
from tests.io.test_sizes import MIB
from tests.sockets import scripted
from tests.wire import ARRAY, STREAM, Ending

pytestmark = [pytest.mark.production_loop, told_by_proc]

GIB = 1 << 30
LINE = b'data: {"candidates": [{"content": {"role": "model", "parts": [{"text": "'
ELEMENT = LINE.replace(b"data: ", b"[")
PIECE = b"x" * 65536
EVENT = sse(chunk("Once more. " * 40, usage=(3, 9)))


@pytest.mark.parametrize(("target", "begin"), [(STREAM, LINE), (ARRAY, ELEMENT)])
async def test_a_frame_of_a_gibibyte_is_given_up_at_the_cap(
    tmp_path: Path, target: str, begin: bytes
) -> None:
    flood = Flood(begin, PIECE, most=GIB)
    async with (
        scripted(flood) as upstream,
        serving(tmp_path, str(upstream), {"repair.max_frame_bytes": 16 * MIB}) as proxy,
    ):
        before = proxy.memory.reset_peak()

        is_googles_error(await proxy.ask(target), 503, "UNAVAILABLE")

        assert flood.requests == 3
        assert flood.written < 3 * 24 * MIB
        assert proxy.memory.peak - before < 64 * MIB
        await proxy.until_at_rest()


async def test_a_frame_of_a_gibibyte_after_text_ends_the_answer_loudly(tmp_path: Path) -> None:
    flood = Flood(EVENT + LINE, PIECE, most=GIB)
    flags = {"repair.max_frame_bytes": 4 * MIB}
    async with scripted(flood) as upstream, serving(tmp_path, str(upstream), flags) as proxy:
        answer = await proxy.ask()

        assert answer.ending is Ending.FIN
        first, *_, last = documents(answer.body)
        assert first == chunk("Once more. " * 40, usage=(3, 9))
        assert last["error"]["status"] == "UNAVAILABLE"
        await proxy.until_at_rest()


async def test_a_stream_without_an_end_is_given_up_at_the_cap(tmp_path: Path) -> None:
    flood = Flood(b"", EVENT * 128, most=GIB)
    flags = {"repair.max_stream_bytes": 32 * MIB}
    async with scripted(flood) as upstream, serving(tmp_path, str(upstream), flags) as proxy:
        before = proxy.memory.reset_peak()

        answer = await proxy.ask()

        assert flood.requests == 1
        assert 31 * MIB < len(answer.body) <= 33 * MIB
        assert answer.ending is Ending.FIN
        assert "larger than" in documents(answer.chunks[-1])[0]["error"]["message"]
        assert proxy.memory.peak - before < 80 * MIB  # the text, while it may have to be resumed
        await proxy.until_at_rest()


BLANK = b": nothing yet\n\n" * 4096


async def test_signs_of_life_without_an_end_are_given_up(tmp_path: Path) -> None:
    flood = Flood(b"", BLANK, most=GIB)
    flags = {"client.headers_after_seconds": 600}  # however slow the machine: no status before
    async with scripted(flood) as upstream, serving(tmp_path, str(upstream), flags) as proxy:
        before = proxy.memory.reset_peak()

        is_googles_error(await proxy.ask(), 503, "UNAVAILABLE")

        assert flood.requests == 3
        assert proxy.memory.peak - before < 48 * MIB
        await proxy.until_at_rest()


HEAD = b"HTTP/1.1 200 OK\r\nX-Long: "


@pytest.mark.parametrize(("target", "status"), [(STREAM, 503), (UNARY, 502), (OTHER, 502)])
async def test_a_head_without_an_end_is_no_answer(tmp_path: Path, target: str, status: int) -> None:
    flood = Flood(HEAD, PIECE, most=GIB, head=b"")
    async with scripted(flood) as upstream, serving(tmp_path, str(upstream)) as proxy:
        before = proxy.memory.reset_peak()

        is_googles_error(await proxy.ask(target), status, "UNAVAILABLE")

        assert flood.written < 64 * MIB
        assert proxy.memory.peak - before < 24 * MIB
        await proxy.until_at_rest()


ERROR = b"HTTP/1.1 500 Oops\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"


async def test_an_error_without_an_end_is_read_no_further_than_needed(tmp_path: Path) -> None:
    flood = Flood(b"", PIECE, most=GIB, head=ERROR)
    async with scripted(flood) as upstream, serving(tmp_path, str(upstream)) as proxy:
        before = proxy.memory.reset_peak()

        answer = await proxy.ask()

        assert (answer.status, flood.requests) == (500, 3)
        assert len(answer.body) <= MIB
        assert proxy.memory.peak - before < 24 * MIB
        await proxy.until_at_rest()
