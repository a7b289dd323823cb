"""Draws the machines' state diagrams from their tables, so that the pictures cannot be wrong.

python docs/state_diagram.py           prints them
python docs/state_diagram.py --write   puts them into ARCHITECTURE.md
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gemproxy.core.interactions.machine import InteractionMachine
from gemproxy.core.repair.engine import State, Table
from gemproxy.core.repair.machine import StreamMachine

PAGE = Path(__file__).resolve().parent.parent / "ARCHITECTURE.md"
TABLES = {"stream": StreamMachine.TRANSITIONS, "interaction": InteractionMachine.TRANSITIONS}


def diagram(table: Table) -> str:
    """Return the diagram in Mermaid's language, one arrow for each pair of states."""
    arrows: dict[tuple[State, State], list[str]] = defaultdict(list)
    stays: dict[State, list[str]] = defaultdict(list)
    for (state, kind), transition in table.items():
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


def page_with_diagrams(page: str) -> str:
    """Return ``page`` with the present diagrams, each in the block that is named after it."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name} diagram -->\n", f"<!-- /{name} diagram -->"
        block = f"{begin}```mermaid\n{diagram(table)}\n```\n{end}"
        page = re.sub(f"{begin}.*?{end}", block, page, flags=re.DOTALL)
    return page


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page_with_diagrams(PAGE.read_text("utf-8")), "utf-8")
    else:
        sys.stdout.write("".join(f"{diagram(table)}\n" for table in TABLES.values()))
