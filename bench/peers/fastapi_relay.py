"""The small proxy that many write: FastAPI, httpx, uvicorn on uvloop, the answer streamed.

    python bench/peers/fastapi_relay.py --port N --upstream URL

It hands on bytes and neither parses nor repairs. Its connections are not limited and its
timeouts are off, or it would fail at 100 streams; the access log is uvicorn's own.
"""

import argparse
import contextlib
from collections.abc import AsyncIterator

# These are in an environment of their own, where no type checker looks.
import httpx  # type: ignore[import-not-found]
import uvicorn  # type: ignore[import-not-found]
from fastapi import FastAPI, Request  # type: ignore[import-not-found]
from fastapi.responses import StreamingResponse  # type: ignore[import-not-found]
from starlette.background import BackgroundTask  # type: ignore[import-not-found]

NOT_PASSED_UP = frozenset({"host", "connection", "transfer-encoding"})
NOT_PASSED_DOWN = frozenset({"connection", "transfer-encoding"})


def relay_to(upstream: str) -> FastAPI:
    """Return the application that relays every request to ``upstream``."""
    client = httpx.AsyncClient(
        base_url=upstream, timeout=None, limits=httpx.Limits(max_connections=None)
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            yield

    async def relay(request: Request) -> StreamingResponse:
        url = httpx.URL(path=request.url.path, query=request.url.query.encode())
        headers = [(k, v) for k, v in request.headers.items() if k not in NOT_PASSED_UP]
        sent = client.build_request(request.method, url, headers=headers, content=request.stream())
        answer = await client.send(sent, stream=True)
        return StreamingResponse(
            answer.aiter_raw(),
            status_code=answer.status_code,
            headers={k: v for k, v in answer.headers.items() if k not in NOT_PASSED_DOWN},
            background=BackgroundTask(answer.aclose),
        )

    app = FastAPI(lifespan=lifespan)
    app.add_api_route("/{path:path}", relay, methods=["GET", "POST"], response_model=None)
    return app


def main() -> None:
    """Serve on the loopback until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True)
    options = parser.parse_args()
    uvicorn.run(
        relay_to(options.upstream),
        host="127.0.0.1",
        port=options.port,
        loop="uvloop",
        http="httptools",
    )


if __name__ == "__main__":
    main()
