"""Writes the table of probes into docs/hostile.md: ``python -m tests.hostile.page``."""

from collections.abc import Sequence
from pathlib import Path

from tests.hostile.probes import PROBES, Probe

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "hostile.md"
_BEGIN, _END = "<!-- probes -->\n", "<!-- /probes -->\n"


def table(probes: Sequence[Probe]) -> str:
    """Return the Markdown table of the probes and their answers."""
    rows = ["| probe | answer | reaches the upstream |\n", "|---|---|---|\n"]
    for probe in probes:
        passed = {0: "no", 1: "once"}.get(probe.passed, f"{probe.passed} requests, as sent")
        rows.append(f"| {probe.name} | {probe.status} | {passed} |\n")
    return "".join(rows)


def written(page: str, probes: Sequence[Probe]) -> str:
    """Return ``page`` with the present table between its marks."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{table(probes)}{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(), PROBES))
    print(f"{len(PROBES)} probes")
