"""gemproxy in processes of its own: the server, and the commands beside it."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from gemproxy.chaos.projects import Project
from gemproxy.chaos.server import ChaosServer
from tests.faults.processes import ProxyProcess, serving
from tests.pooled.house import ANN, BOB, keys_of

ROOT = Path(__file__).resolve().parents[2]


@attrs.frozen
class Program:
    """What one installation has: its folder, with the data directory, and its environment."""

    folder: Path
    environment: Mapping[str, str] = attrs.field(repr=False)

    @contextlib.asynccontextmanager
    async def serving(
        self, fake: ChaosServer, flags: Mapping[str, object] | None = None
    ) -> AsyncIterator[ProxyProcess]:
        """Run the server in front of ``fake``; it is asked to end at the exit, with its workers."""
        always = {"repair.retry_after_limit_seconds": 0, "logging.level": "debug"}
        async with serving(
            self.folder, fake.url, {**always, **(flags or {})}, environment=self.environment
        ) as process:
            try:
                yield process
            finally:
                if process.process.returncode is None:
                    await process.terminate()
                    await process.exit_status()

    async def run(self, *arguments: str, given: str = "") -> tuple[int, str, str]:
        """Run a command; return its exit code, standard output and standard error."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(ROOT / "run.py"), *arguments),
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(given.encode())
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def listed(self) -> Any:
        """Return what ``gemproxy keys list --json`` prints."""
        code, out, err = await self.run("keys", "list", "--json")
        assert code == 0, err
        return json.loads(out)


def program(folder: Path, projects: Iterable[Project], **environment: str) -> Program:
    """Return an installation in ``folder`` with the keys of ``projects`` and two access keys."""
    given = {
        "GEMPROXY_POOL_PROJECTS": json.dumps(keys_of(list(projects))),
        "GEMPROXY_ACCESS_KEYS": json.dumps({"ann": ANN, "bob": BOB}),
        **environment,
    }
    return Program(folder, given)
