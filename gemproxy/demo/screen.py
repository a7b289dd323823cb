"""The output of the demo: the text as it comes, a mark at each repair, the verdict."""

from typing import TextIO

import attrs

from gemproxy.demo.stage import Repair
from gemproxy.demo.verdict import Comparison, read, text_of

_BREAKS = {
    "clean": "the upstream ended politely, without a finishReason",
    "rst": "the connection was reset",
    "stall": "the upstream fell silent",
    "finish": "the upstream gave up with a bad finishReason",
    "error": "an error came inside the stream",
    "fin": "the connection closed inside a character",
}
_PLANS = {"text": "resumed behind the last character", "replay": "asked again from the start"}

_CURL = """\
curl -sN '{url}/v1beta/models/{model}:streamGenerateContent?alt=sse' \\
  -H 'x-goog-api-key: demo' -H 'content-type: application/json' \\
  -d '{{"contents":[{{"role":"user","parts":[{{"text":"Hello from curl"}}]}}]}}'"""

_PYTHON = """\
from google import genai                     # pip install google-genai
client = genai.Client(api_key="demo", http_options={{"base_url": "{url}"}})
for chunk in client.models.generate_content_stream(model="{model}", contents="Hello from Python"):
    print(chunk.text or "", end="")"""


@attrs.define
class Screen:
    """Writes to a terminal, or to any other stream without colour."""

    out: TextIO
    colour: bool
    _unread: bytes = b""
    _repairs: int = 0

    def opening(self, proxy: str, upstream: str, faults: tuple[str, ...]) -> None:
        """Announce the coming steps."""
        self.say(self._bold("gemproxy demo"))
        self.say(f"fake Gemini  {upstream}  breaks its answer: {', '.join(faults)}")
        self.say(f"gemproxy     {proxy}  stands in front of it")
        self.say("client       reads one answer; this is what it sees:\n")

    def text(self, data: bytes) -> None:
        """Show the visible text of the frames that ``data`` completes."""
        whole, end, self._unread = (self._unread + data).rpartition(b"\r\n\r\n")
        for document in read(whole + end):
            self.out.write(text_of(document))
        self.out.flush()

    def repair(self, repair: Repair) -> None:
        """Mark the place of a repair; the mark is not part of the client's text."""
        self._repairs += 1
        broke = _BREAKS.get(repair.fault.partition("@")[0].partition(":")[0], repair.cause)
        done = _PLANS.get(repair.plan, repair.plan)
        mark = f"[{self._repairs}: {broke} ({repair.fault}) -> {done}]"
        self.out.write(self._mark(mark))
        self.out.flush()

    def verdict(self, verdict: Comparison) -> None:
        """Print whether the client got the exact answer."""
        received, uncut = verdict.digests
        self.say("\n")
        self.say(self._bold("Verdict"))
        self.say(f"  upstream attempts   {verdict.attempts}")
        self.say(f"  repairs             {self._repairs}")
        self.say(f"  frames received     {verdict.frames}")
        self.say(f"  characters received {len(verdict.received)}, uncut {len(verdict.uncut)}")
        self.say(f"  sha256 received     {received}")
        self.say(f"  sha256 uncut        {uncut}")
        for fault in verdict.faults:
            self.say(f"  fault: {fault}")
        if verdict.first_difference is not None:
            self.say(f"  the texts differ from character {verdict.first_difference} on")
        exact = "EXACT: every character once, one stream, one STOP"
        self.say(self._bold(f"  {exact if verdict.exact else 'BROKEN'}") + "\n")

    def snippets(self, url: str, model: str) -> None:
        """Show two commands to try, which work unchanged while the proxy runs."""
        self.say(self._bold("Try it while it runs"))
        self.say(_CURL.format(url=url, model=model) + "\n")
        self.say(_PYTHON.format(url=url, model=model) + "\n")

    def say(self, line: str) -> None:
        """Write one line."""
        self.out.write(f"{line}\n")
        self.out.flush()

    def _bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.colour else text

    def _mark(self, text: str) -> str:
        return f"\x1b[30;43m {text} \x1b[0m" if self.colour else f"\n  {text}\n"
