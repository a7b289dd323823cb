"""The command ``gemproxy probe``: choose the models, ask, probe, report.

Every line and the report pass the scrubber on their way out, so none of them contains the key, even
if a server repeats it.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TextIO, TypeVar

import attrs
from yarl import URL

from gemproxy.config.outbound import UnusableProxy, resolve_proxy
from gemproxy.exchange.credential import Credential
from gemproxy.probe.cases import TOKENS_PER_REQUEST
from gemproxy.probe.gemini import CannotTell, Gemini, Meter, Rejection, Scrubber
from gemproxy.probe.models import newest_flash
from gemproxy.probe.options import GOOGLE, Misused, Options, read_options
from gemproxy.probe.report import Finding, Report
from gemproxy.probe.runner import Runner
from gemproxy.relay.upstream import AttemptFailed, open_upstream

_T = TypeVar("_T")

HOLDS, FAILS, USAGE, INTERRUPTED = 0, 1, 2, 130

_CONNECT_SECONDS = 10.0
_MOST_LOOKUPS = 50


def run(argv: Sequence[str]) -> int:
    """Probe as ``argv`` says; return the exit code.

    0: everything that gemproxy relies on holds; 1: some of it does not, or no case gave a
    result; 2: a wrong command line, no key, no such model; 130: interrupted.
    """
    try:
        options = read_options(argv, os.environ)
    except Misused as misuse:
        return _complain(str(misuse))
    except SystemExit:  # --help was shown
        return HOLDS
    session = _Session(options, Scrubber(options.key))
    try:
        return session.run()
    except Misused as misuse:
        return _complain(session.scrub(str(misuse)))
    except KeyboardInterrupt:
        _complain("interrupted; nothing was sent")
        return INTERRUPTED


def _complain(words: str) -> int:
    _write(sys.stderr, f"gemproxy probe: {words}")
    return USAGE


def _write(stream: TextIO, line: str) -> None:
    stream.write(f"{line}\n")
    stream.flush()


@attrs.frozen
class _Session:
    """One run of the command."""

    options: Options
    scrub: Scrubber

    def run(self) -> int:
        models = asyncio.run(self._with_gemini(self._choose_models, _MOST_LOOKUPS))
        self._announce(models)
        self._confirm()
        report = Report(self._server(), self.options.seed, excerpts=self.options.excerpts)
        self._save(report)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(
                self._with_gemini(
                    lambda gemini: self._probe(gemini, report, models), self.options.max_requests
                )
            )
        self._conclude(report)
        if not report.complete:
            return INTERRUPTED
        return HOLDS if report.holds else FAILS

    async def _with_gemini(self, use: Callable[[Gemini], Awaitable[_T]], most_requests: int) -> _T:
        options = self.options
        async with open_upstream(connect_timeout=_CONNECT_SECONDS, proxy=self._proxy()) as upstream:
            gemini = Gemini(
                options.base,
                Credential.api_key(options.key),
                upstream,
                Meter(most_requests),
                timeout=options.timeout,
                notice=self._say,
            )
            return await use(gemini)

    def _proxy(self) -> URL | None:
        try:
            return resolve_proxy("env", self.options.base, os.environ)
        except UnusableProxy as error:
            raise Misused(str(error)) from None

    async def _choose_models(self, gemini: Gemini) -> Sequence[str]:
        """Return the models to probe; the lookup is free of charge."""
        named = self.options.models
        try:
            for name in named:
                await gemini.model(name)
            chosen = named or newest_flash(await gemini.models())
        except (CannotTell, Rejection, AttemptFailed) as error:
            raise Misused(f"the models cannot be looked up: {error}") from None
        except TimeoutError:
            raise Misused("the models cannot be looked up: no answer in time") from None
        if not chosen:
            raise Misused("the server lists no flash model; name one with --model")
        return chosen

    def _announce(self, models: Sequence[str]) -> None:
        each = sum(case.requests for case in self.options.cases)
        most = min(each * len(models), self.options.max_requests)
        self._say(f"Models: {', '.join(models)}")
        self._say(
            f"This makes up to {most} requests ({each} for each model), very roughly "
            f"{most * TOKENS_PER_REQUEST} tokens, and what the models think besides."
        )

    def _confirm(self) -> None:
        """Ask for confirmation before the first paid request. Raises Misused without a yes."""
        if self.options.confirmed:
            return
        if not sys.stdin.isatty():
            raise Misused("there is no terminal to ask on; say --yes")
        sys.stdout.write("Go on? [y/N] ")
        sys.stdout.flush()
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise Misused("not confirmed; nothing was sent")

    def _server(self) -> str:
        """Return the server's name for the report; the address of another server is private."""
        return str(GOOGLE) if self.options.base == GOOGLE else "another server"

    async def _probe(self, gemini: Gemini, report: Report, models: Sequence[str]) -> None:
        def noted(finding: Finding) -> None:
            self._say(f"{finding.model}  {finding.case}  {finding.verdict.value}  {finding.reason}")
            self._save(report)

        await Runner(gemini, report, noted).run(models, self.options.cases)

    def _say(self, line: str) -> None:
        _write(sys.stdout, self.scrub(line))

    def _save(self, report: Report) -> None:
        """Write the report so far, so a later failure cannot lose it."""
        try:
            self.options.report.write_text(self.scrub(report.dumps()), encoding="ascii")
        except OSError as error:
            raise Misused(f"the report cannot be written: {error.strerror}") from None

    def _conclude(self, report: Report) -> None:
        self._save(report)
        tokens = report.tokens
        partial = "" if report.complete else "partial "
        self._say(f"\n{report.table()}\n")
        self._say(
            f"{report.requests} requests; tokens: {tokens.prompt} prompt, {tokens.output} output, "
            f"{tokens.thoughts} thoughts"
        )
        self._say(f"The {partial}report is in {self.options.report}.")
