"""Translates a file of another proxy's variables into one of ours, and says what has no equivalent.

What is printed has no secret. Written to a file, which only its user may read, it is whole.
"""

from collections.abc import Iterator, Mapping

import attrs

from gemproxy.moving.row import Row, Tool

HIDDEN = "(its value; --write FILE has it)"


@attrs.frozen
class Line:
    """A variable of ours, its value, and the one it was made of."""

    ours: str
    value: str
    row: Row


@attrs.frozen
class Translation:
    """What a file of ``tool`` is here.

    ``lines`` are the variables of ours; ``without`` has (variable, why there is none), ``wrong``
    (variable, what is wrong with its value), ``unknown`` the variables that the tool does not have.
    """

    tool: Tool
    lines: list[Line] = attrs.field(factory=list)
    without: list[tuple[str, str]] = attrs.field(factory=list)
    wrong: list[tuple[str, str]] = attrs.field(factory=list)
    unknown: list[str] = attrs.field(factory=list)

    def text(self, *, whole: bool) -> str:
        """Return it as a file of variables; ``whole``: with the secrets."""
        return "".join(f"{line}\n" for line in self._lines(whole=whole))

    def _lines(self, *, whole: bool) -> Iterator[str]:
        yield f"# The settings of {self.tool.title}, as gemproxy's."
        for line in self.lines:
            row = line.row
            if row.ours != row.name or row.why:
                yield f"# {row.name}{': ' + row.why if row.why else ''}"
            hidden = row.is_secret and not whole
            yield f"# {line.ours}={HIDDEN}" if hidden else f"{line.ours}={_quoted(line.value)}"
        for title, pairs in (("no equivalent", self.without), ("not usable", self.wrong)):
            if pairs:
                yield f"# {title}:"
                yield from (f"#   {name}: {why}" for name, why in pairs)
        if self.unknown:
            yield f"# not known as {self.tool.title}'s: {', '.join(self.unknown)}"


def translate(tool: Tool, variables: Mapping[str, str]) -> Translation:
    """Return what the variables of a tool's file are here; of two for one of ours the first."""
    found = Translation(tool)
    rows, taken = tool.by_name, set()
    for name, value in variables.items():
        row = rows.get(name)
        if row is None:
            found.unknown.append(name)
        elif not row.ours:
            found.without.append((name, row.why))
        elif value.strip() in _EMPTY:
            continue
        elif row.ours in taken:
            found.without.append((name, f"{row.ours} has a value already"))
        else:
            try:
                found.lines.append(Line(row.ours, row.change(value), row))
                taken.add(row.ours)
            except ValueError as error:
                found.wrong.append((name, str(error)))
    return found


def _quoted(value: str) -> str:
    """Return a value as a file of variables has it."""
    if "'" not in value:
        return f"'{value}'" if _NEEDS_QUOTES & set(value) or not value else value
    return f'"{value}"'


_EMPTY = ("", "[]", "{}")
_NEEDS_QUOTES = set(' \t#"\\{}[]$')
