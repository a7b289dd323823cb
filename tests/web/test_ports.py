"""Ports of their own for the admin API and the metrics: named, with several workers and TLS."""

import asyncio
import json
import socket
import sys
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from tests.certificates import make
from tests.web.test_server import ROOT, free_port

SECRET = "w7Kq2mXv9TzRw4Lp8sDfGh3J"
OPERATOR = {"x-admin-secret": SECRET}


async def run(folder: Path, *flags: object) -> asyncio.subprocess.Process:
    """Start a proxy with a secret; whoever calls this ends it."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "run.py"), *map(str, flags)),
        *("--admin.secret", SECRET, "--ledger.enabled", "true"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_workers_share_the_port_of_the_admin_api_with_tls(tmp_path: Path) -> None:
    files = make(tmp_path)
    port, admin, metrics = free_port(), free_port(), free_port()
    process = await run(
        *(tmp_path, "--server.workers", 2, "--server.port", port, "--admin.port", admin),
        *("--metrics.port", metrics, "--server.tls_cert", files.cert),
        *("--server.tls_key", files.key),
    )
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        workers: set[int] = set()
        connector = aiohttp.TCPConnector(ssl=files.trusting(), force_close=True)
        async with aiohttp.ClientSession(connector=connector, headers=OPERATOR) as session:
            base = URL(f"https://127.0.0.1:{admin}/admin/api/v1/")
            while len(workers) < 2:
                body = json.dumps({"value": len(workers) + 3}).encode()
                async with session.put(base / "settings/repair.max_resumes", data=body) as done:
                    assert done.status == 200
                async with session.get(base / "database") as answer:
                    document = await answer.json()
                workers |= {writer["worker"] for writer in document["writers"]}
            async with session.get(f"https://127.0.0.1:{port}/admin/api/v1/settings") as here:
                assert here.status == 404
            async with session.get(f"http://127.0.0.1:{metrics}/metrics") as figures:
                assert figures.status == 200
    finally:
        process.terminate()
        await process.communicate()

    assert line.startswith("gemproxy ")
    assert f"the admin API on https://127.0.0.1:{admin}, its pages at /admin/," in line
    assert f"metrics on http://127.0.0.1:{metrics}" in line
    assert line.endswith(f"listens on https://127.0.0.1:{port}\n")


@pytest.mark.parametrize("setting", ["admin.port", "metrics.port"])
async def test_a_port_that_is_taken_is_named(tmp_path: Path, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        process = await run(tmp_path, "--server.port", 0, f"--{setting}", number)
        _, errors = await process.communicate()

    assert process.returncode == 2
    assert f"gemproxy: {setting}: cannot be listened on at 127.0.0.1" in errors.decode()
    assert b"Traceback" not in errors
