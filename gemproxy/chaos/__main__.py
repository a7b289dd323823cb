"""The command ``gemproxy chaos``: a fake Gemini to point a client at."""

import argparse
import asyncio
import contextlib
import signal
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.cloud import Arrival
from gemproxy.chaos.delivery import Transfer, Wiring
from gemproxy.chaos.faults import BadFault, Fault, Kind, parse_fault
from gemproxy.chaos.framing import Style
from gemproxy.chaos.projects import BadProject, Project, parse_project
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import DEFAULT_MODEL, ChaosServer, Outcome, Served


def _wrapped(names: Iterable[str], margin: int = 2) -> str:
    """Return names as lines that fit a terminal, after a margin of so many columns."""
    text = textwrap.fill(", ".join(names), 88 - margin, break_on_hyphens=False)
    return text.replace("\n", "\n" + " " * margin)


_DESCRIPTION = """\
A fake Gemini that answers by script and breaks on purpose, to see what your client makes
of it. Point the base URL of any Gemini SDK at it; any key (in x-goog-api-key) and any
model name will do, unless --project gives it projects.
"""
_EPILOG = f"""\
answers:
  {_wrapped(BUILT_IN)}

faults:
  --cut KIND[:ARGUMENT][@PLACE], once for each attempt of a conversation, 'none' for a
  clean one in between. After the last there are no more faults; when the answer was told
  to its end, the next request with the same prompt starts over (see --once).

  kinds   {_wrapped((kind.value for kind in Kind), 10)}
  places  120       after 120 bytes of the body
          event:7   after 7 frames
          utf8      between the bytes of the first character that has several (utf8:3)
          thinking  after the first thought
          headers   before the status line (fin, rst, stall)
          end       after the last byte

  clean@120            the body ends properly, without a finishReason
  rst@event:7          the connection is reset
  stall@headers        silence, until the client gives up
  status:429,retry=2s  an error before the stream, with RetryInfo
  error:503@event:3    an error inside of the stream
  finish:OTHER@event:5 a finishReason that is no STOP
  drip:3               three bytes in each write

continuations:
  A request that holds the beginning of the answer in a model turn behind the conversation,
  with or without a user turn after it, is answered with the rest of it. --behaviour says
  how the model takes it up; give it several times for several continuations.

  behaviours:
    {_wrapped((behaviour.value for behaviour in Behaviour), 4)}

projects:
  --project NAME=KEY[,KEY...][;SETTING...], once for each. Then a request needs a key of one,
  files, caches, batches and interactions belong to the project that made them, and quotas are
  counted by project and model, as Google counts them.

  rpm=5                 requests by minute, for each model (also tpm: tokens of prompts)
  rpd=100               requests by day, which begins at midnight in California
  gemini-x.rpm=2        a number for one model
  off=gemini-y          models that the project's tier does not have (limit: 0)

  --project 'lab=key1,key2;rpm=5;rpd=100;gemini-x.rpm=2;off=gemini-y' --project home=key3

example:
  python -m gemproxy chaos --port 9000 --answer story --cut clean@900 --cut rst@event:7
  curl -N 'http://127.0.0.1:9000/v1/models/{DEFAULT_MODEL}:streamGenerateContent?alt=sse' \\
       -H 'x-goog-api-key: any' -d '{{"contents": [{{"parts": [{{"text": "Hello"}}]}}]}}'
"""
_LINE_ENDS = {"crlf": "\r\n", "lf": "\n"}


def run(argv: Sequence[str]) -> int:
    """Serve as ``argv`` says until SIGINT or SIGTERM; return the exit code."""
    try:
        options = parser().parse_args(argv)
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else 2
    try:
        asyncio.run(_serve(server_of(options)))
    except OSError as exc:
        _say(f"gemproxy chaos: cannot listen: {exc.strerror or exc}", sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    command = argparse.ArgumentParser(
        prog="gemproxy chaos",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = command.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=9000, help="0 for any free one (default: %(default)s)")
    add(
        "--answer",
        choices=BUILT_IN,
        default="story",
        help="what it says (default: %(default)s)",
        metavar="NAME",
    )
    add("--answer-file", type=_text_file, metavar="FILE", help="answer with this UTF-8 text")
    add("--cut", type=_fault, action="append", default=[], metavar="FAULT", help="see below")
    add(
        "--behaviour",
        type=Behaviour,
        action="append",
        metavar="NAME",
        help="how a continuation is taken up, see below (default: echo)",
    )
    add(
        "--repeat",
        type=int,
        default=40,
        metavar="N",
        help="how many characters repeat and echo-more repeat (default: %(default)s)",
    )
    add(
        "--project",
        type=_project,
        action="append",
        default=[],
        metavar="SPEC",
        help="a project with its keys and quotas, see below",
    )
    add("--once", action="store_true", help="a conversation gets its faults only once")
    add("--seed", type=int, default=0, metavar="N", help="decides the sizes of the chunks")
    add("--delay-ms", type=float, default=0.0, metavar="MS", help="between two frames")
    add("--model-latency", type=float, default=0.0, metavar="MS", help="before the headers")
    add("--line-end", choices=_LINE_ENDS, default="crlf", help="of SSE (default: %(default)s)")
    add(
        "--transfer",
        type=Transfer,
        default=Transfer.CHUNKED,
        metavar="HOW",
        help="chunked, length or close (default: chunked)",
    )
    add(
        "--framing",
        type=Style,
        metavar="FORM",
        help="of streams, whatever is asked for: sse, array, lines, or unary for one object",
    )
    add("--media-type", metavar="TYPE", help="the Content-Type of streams")
    add("--write-size", type=_positive, metavar="BYTES", help="cut every frame into such writes")
    return command


def _fault(spec: str) -> Fault | None:
    try:
        return parse_fault(spec)
    except BadFault as exc:
        raise argparse.ArgumentTypeError(str(exc)) from None


def _project(spec: str) -> Project:
    try:
        return parse_project(spec)
    except BadProject as exc:
        raise argparse.ArgumentTypeError(str(exc)) from None


def _text_file(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise argparse.ArgumentTypeError(f"{name}: {exc}") from None


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return int(text)


def server_of(options: argparse.Namespace) -> ChaosServer:
    """Return the server that the parsed options describe."""
    text = options.answer_file
    script = Script(
        BUILT_IN[options.answer] if text is None else Answer(text),
        faults=options.cut,
        behaviour=options.behaviour or Behaviour.ECHO,
        amount=options.repeat,
        rearm=not options.once,
        documents=text is None,
        line_end=_LINE_ENDS[options.line_end],
        wiring=Wiring(options.transfer, options.write_size),
        style=options.framing,
        media_type=options.media_type,
    )
    server = ChaosServer(
        script,
        host=options.host,
        port=options.port,
        seed=options.seed,
        event_delay=options.delay_ms / 1000,
        latency=options.model_latency / 1000,
        observe=_report,
        record=False,
        projects=options.project,
    )
    server.cloud.observe = _report_refusal
    return server


async def _serve(server: ChaosServer) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with server:
        _say(f"The fake Gemini listens on {server.url}; Ctrl-C ends it.")
        await stopped.wait()


def _report(attempt: Served) -> None:
    plan = attempt.plan
    project = f"{attempt.project}: " if attempt.project else ""
    words = [f"{project}{attempt.model} attempt {plan.number}:", plan.asked.form.value]
    if plan.behaviour is not None:
        words.append(f"({plan.behaviour.value}, {len(plan.asked.held)} characters held)")
    if plan.refusal is not None:
        words.append(f"refused: {plan.refusal}")
    if plan.fault is not None:
        words.append(f"fault {plan.fault}")
    words.append(_OUTCOMES[attempt.outcome])
    _say(" ".join(words))


def _report_refusal(arrival: Arrival) -> None:
    project = arrival.project or "no project"
    words = (arrival.model or arrival.path, "refused with", str(arrival.status))
    _say(f"{project}: {' '.join(words)}")


_OUTCOMES = {
    Outcome.RUNNING: "-> running",
    Outcome.STALLED: "-> stalled, waiting for the client",
    Outcome.SENT: "-> done",
    Outcome.ABANDONED: "-> the client left",
}


def _say(line: str, stream: TextIO | None = None) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(line, file=stream or sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
