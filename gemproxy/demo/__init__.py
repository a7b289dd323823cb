"""``gemproxy demo``: watch the repair of a broken stream, on this machine alone.

A fake Gemini breaks one long answer six times, each time in another way. The real proxy stands in
front of it, and a plain HTTP client reads the answer through the proxy, over real sockets. The demo
shows the client's text as it comes, with a mark at each repair, and then compares the received
bytes with the uncut answer.

On a terminal the proxy keeps serving until Ctrl-C, to be tried with curl or an SDK. Elsewhere the
demo ends by itself. Exit code: 0 if the answer was exact, else 1.
"""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Sequence

from gemproxy.demo.screen import Screen
from gemproxy.demo.stage import Stage, open_stage
from gemproxy.demo.verdict import Comparison, judge

PROMPT = "Tell me the story of the lighthouse."


def run(argv: Sequence[str]) -> int:
    """Run the demo; return its exit code."""
    options = _parser().parse_args(argv)
    screen = Screen(sys.stdout, colour=options.colour and sys.stdout.isatty())
    serves_on = options.serve if options.serve is not None else sys.stdout.isatty()
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(_demo(options, screen, serves_on=serves_on))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gemproxy demo", description="Watch a stream repaired.")
    parser.add_argument("--port", type=int, default=8000, help="where the proxy listens (8000)")
    parser.add_argument("--seed", type=int, default=1, help="decides how the answer is cut up")
    parser.add_argument("--pace", type=float, default=0.02, help="seconds between two frames")
    parser.add_argument(
        "--serve",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="go on serving after the verdict (default: on a terminal)",
    )
    parser.add_argument("--colour", action=argparse.BooleanOptionalAction, default=True)
    return parser


async def _demo(options: argparse.Namespace, screen: Screen, *, serves_on: bool) -> int:
    async with open_stage(options.port, options.seed, options.pace, screen.repair) as stage:
        screen.opening(stage.proxy_url, stage.upstream_url, stage.faults)
        verdict = await _watch(stage, screen)
        screen.verdict(verdict)
        screen.snippets(stage.proxy_url, stage.model)
        if serves_on:
            screen.say("The proxy goes on serving; every new prompt breaks as often. Ctrl-C ends.")
            await asyncio.Event().wait()
    return 0 if verdict.exact else 1


async def _watch(stage: Stage, screen: Screen) -> Comparison:
    received = bytearray()
    async for data in stage.stream(PROMPT):
        received += data
        screen.text(data)
    return judge(bytes(received), stage.uncut_text, stage.attempts)
