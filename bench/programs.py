"""The two C programs of bench/load: compile them, start the upstream, run the clients."""

import contextlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from bench.scenarios import Scenario
from bench.system import Cores, started

LOAD = Path(__file__).resolve().parent / "load"
UNARY_BYTES = 2048
CHAT_TARGET = "/v1/chat/completions"
_FLAGS = ("-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror")
_PATIENCE_SECONDS = 10


class LoadFailed(Exception):
    """A program of the load could not be built, or failed."""


@attrs.frozen
class Programs:
    """The compiled programs, and their cores."""

    upstream_program: Path
    client_program: Path
    cores: Cores

    @contextlib.contextmanager
    def upstream(self, scenario: Scenario, window_us: int) -> Iterator[int]:
        """Run the upstream of a scenario; yield its port."""
        arguments = {
            "events": scenario.events_of_stream(window_us) or 1,
            "write-bytes": scenario.write_bytes,
            "pace-us": scenario.pace_us,
            "cut-at": scenario.cut_at,
            "big-bytes": scenario.big_bytes,
            "unary-bytes": UNARY_BYTES,
        }
        command = [str(self.upstream_program), *flags(arguments)]
        with started(command, self.cores.upstream) as process:
            assert process.stdout is not None
            word, _, port = process.stdout.readline().strip().partition(" ")
            if word != "listening":
                raise LoadFailed("The upstream of the bench does not start.")
            yield int(port)

    def run_clients(  # noqa: PLR0913 (each is one fact of the run)
        self,
        scenario: Scenario,
        window_us: int,
        *,
        port: int,
        prefix: str = "",
        chat: bool = False,
        headers: Sequence[str] = (),
        at_edge: Callable[[str], None] = lambda _: None,
    ) -> dict[str, float]:
        """Run the load of a scenario on ``port``; return the report of client.c.

        ``chat``: the clients speak OpenAI's dialect.
        ``at_edge`` is called with "begin" and "end" at the edges of the measured window.
        """
        arguments = {
            "port": port,
            "target": prefix + (CHAT_TARGET if chat else scenario.target),
            "connections": scenario.connections,
            "events": scenario.events_of_stream(window_us) if scenario.events else 0,
            "big-bytes": scenario.big_bytes,
            "answer-bytes": 0 if scenario.events else UNARY_BYTES,
            "body-bytes": scenario.body_bytes,
            "warmup-us": scenario.warm_up_us(),
            "window-us": window_us,
            "ramp-us": scenario.ramp_us,
            "patience-us": _PATIENCE_SECONDS * 1_000_000,
        }
        command = [str(self.client_program), *flags(arguments)]
        command += [argument for line in headers for argument in ("--header", line)]
        command += ["--once"] if scenario.pace_us else []
        command += ["--chat"] if chat else []
        with started(command, self.cores.client) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("{"):
                    report: dict[str, float] = json.loads(line)
                    return report
                at_edge(line.strip())
        raise LoadFailed("The clients of the bench ended without a report.")


def flags(arguments: Mapping[str, object]) -> list[str]:
    """Return ``--name value`` for each argument."""
    return [word for name, value in arguments.items() for word in (f"--{name}", str(value))]


def compile_programs(folder: Path, cores: Cores) -> Programs:
    """Compile both programs into ``folder``. Raises LoadFailed without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise LoadFailed("There is no C compiler (cc); bench/setup installs one on Debian.")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("upstream", "client"):
        command = [compiler, *_FLAGS, str(LOAD / f"{name}.c"), "-o", str(folder / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LoadFailed(f"{name}.c does not compile:\n{done.stderr}")
    return Programs(folder / "upstream", folder / "client", cores)
