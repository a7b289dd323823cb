"""A server that speaks S3, for the tests: moto in a process of its own.

moto reads the bucket from the path, or from the Host of a client that comes by way of a proxy; so
with the server as the proxy of the environment, both styles work without a name server.
"""

import contextlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

PATIENCE = 60.0


@contextlib.contextmanager
def running_s3() -> Iterator[str]:
    """Run a new server; yield its URL."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(url, server)
        yield url
    finally:
        server.kill()
        server.wait(PATIENCE)


def _wait(url: str, server: "subprocess.Popen[bytes]") -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(int(PATIENCE / 0.05)):
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            opener.open(f"{url}/moto-api/data.json", timeout=PATIENCE).read()
            return
        assert server.poll() is None, "moto's server ended"
        time.sleep(0.05)
    raise AssertionError("moto's server does not answer")


def make_bucket(url: str, bucket: str) -> None:
    """Make a bucket; moto asks for no signature."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(urllib.request.Request(f"{url}/{bucket}", method="PUT"), timeout=PATIENCE).read()
