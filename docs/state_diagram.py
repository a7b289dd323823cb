"""Draws the machine's state diagram from its table, so that the picture cannot be wrong.

python docs/state_diagram.py           prints it
python docs/state_diagram.py --write   puts it into ARCHITECTURE.md
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gemproxy.core.repair.machine import TRANSITIONS, State

PAGE = Path(__file__).resolve().parent.parent / "ARCHITECTURE.md"
BLOCK = re.compile(r"(<!-- state diagram -->\n).*?(<!-- /state diagram -->)", re.DOTALL)


def diagram() -> str:
    """Return the diagram in Mermaid's language, one arrow for each pair of states."""
    arrows: dict[tuple[State, State], list[str]] = defaultdict(list)
    stays: dict[State, list[str]] = defaultdict(list)
    for (state, kind), transition in TRANSITIONS.items():
        for target in State:
            if target in transition.targets:
                (stays[state] if target is state else arrows[state, target]).append(kind.__name__)
    lines = ["stateDiagram-v2", f"    [*] --> {State.CONNECTING.name}"]
    for (state, target), kinds in arrows.items():
        lines.append(f"    {state.name} --> {target.name}: {', '.join(kinds)}")
    for state, kinds in stays.items():
        lines.append(f"    {state.name} --> {state.name}: {', '.join(kinds)}")
    lines += [f"    {state.name} --> [*]" for state in (State.DONE, State.FAILED)]
    return "\n".join(lines)


def page_with_diagram(page: str) -> str:
    """Return ``page`` with the present diagram in its block."""
    block = f"\\1```mermaid\n{diagram()}\n```\n\\2"
    return BLOCK.sub(block, page)


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page_with_diagram(PAGE.read_text("utf-8")), "utf-8")
    else:
        sys.stdout.write(f"{diagram()}\n")
