"""Command lines that take flags of settings beside their own.

Flags of settings may stand anywhere; they are put aside for the settings. A key may be given as an
argument by mistake, so no message repeats a value.
"""

import argparse
import re
from collections.abc import Collection, Sequence
from typing import NoReturn

_QUOTED = re.compile(r"'[^']*'")
_ACTION = "argument ACTION: invalid choice"
_TOO_MANY = "unrecognized arguments"


class Misused(Exception):
    """The command line or the input is wrong; the message is for people, without keys."""


class Parser(argparse.ArgumentParser):
    """Raises Misused; ``too_many`` is what it says about an argument too many."""

    def __init__(
        self, *, prog: str, too_many: str = "there is an argument too many", description: str
    ) -> None:
        super().__init__(
            prog=prog,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.too_many = too_many

    def error(self, message: str) -> NoReturn:
        """Raise Misused without the values in ``message``."""
        see = f"see {self.prog} --help"
        if message.startswith(_TOO_MANY):
            raise Misused(f"{self.too_many}: {see}")
        if message.startswith(_ACTION):
            raise Misused(f"there is no such action: {see}")
        raise Misused(f"{_QUOTED.sub('...', message)}: {see}")


def divided(argv: Sequence[str], own: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the arguments of a command, and the flags of settings with their values.

    ``own`` are the flags of the command. A flag of a setting takes the argument behind it, unless
    it has a ``=``.
    """
    arguments: list[str] = []
    flags: list[str] = []
    takes_value = False
    for argument in argv:
        if takes_value:
            flags.append(argument)
            takes_value = False
        elif argument.startswith("--") and argument.partition("=")[0] not in {*own, "--"}:
            flags.append(argument)
            takes_value = "=" not in argument
        else:
            arguments.append(argument)
    return arguments, flags


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines of aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
