"""The sources of settings: TOML files, variables, ``.env``, flags.

Each source yields layers of raw values by path, ``section.key``, with the name of their origin.
This module checks only that the names exist; an unknown name is a problem, because a misspelled
setting would have no effect.
"""

import argparse
import dataclasses
import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from typed_settings.dict_utils import set_path
from typed_settings.types import LoadedSettings, LoaderMeta, OptionInfo

from gemproxy.config.kinds import Switch
from gemproxy.config.operators import variables_with_keys

PREFIX = "GEMPROXY_"
FILES_VARIABLE = "GEMPROXY_SETTINGS"
"""Names TOML files, separated as in PATH."""

CONF = Path("conf", "gemproxy.toml")
SHORT_SECTION = "server"
"""The section whose name is omitted in variables and flags."""

SERVICE_LINK = re.compile(
    r"GEMPROXY_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)"
)
SERVICE_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://.*")
"""Variables that Kubernetes sets in every container if a Service is called "gemproxy"."""

DOTENV_LINE = re.compile(
    r"""\s* (?:export\s+)? (?P<name>[A-Za-z_]\w*) \s*=\s*
        (?: '(?P<single>[^']*)' | "(?P<double>[^"]*)" | (?P<bare>[^\s#'"].*?|) )
        (?:\s+\#.*)? \s*""",
    re.VERBOSE,
)

Flags = Mapping[str, tuple[str, str]]
"""Path -> (value, the flag as it was spelled)."""


@attrs.frozen
class Named:
    """The files that flags name: TOML files, and files of variables."""

    config: Sequence[str] = ()
    env: Sequence[str] = ()


@attrs.frozen
class Catalogue:
    """Every setting by its path, in the order of the tree.

    ``open_section`` accepts any upper-case name as a key, which becomes a setting like
    ``template``.
    """

    options: Mapping[str, OptionInfo]
    open_section: str
    template: OptionInfo

    def find(self, path: str) -> OptionInfo | None:
        """Return the setting at ``path``, or None when there is none."""
        section, _, key = path.partition(".")
        if section == self.open_section and re.fullmatch(r"[A-Z][A-Z0-9_]*", key):
            return dataclasses.replace(self.template, path=path)
        return self.options.get(path)

    def variables(self, present: Iterable[str] = ()) -> dict[str, str]:
        """Return variable -> path; if two name one path, the later is stronger.

        Names of the open section without a default are found among ``present``.
        """
        short: dict[str, str] = {}
        full: dict[str, str] = {}
        for path, option in self.options.items():
            section, _, key = path.partition(".")
            name = f"{PREFIX}{section}_{key}".upper()
            if section == SHORT_SECTION:
                if option.is_secret:
                    short[f"{PREFIX}{key}_FILE".upper()] = path
                short[f"{PREFIX}{key}".upper()] = path
            if option.is_secret:
                full[f"{name}_FILE"] = path
            full[name] = path
        prefix = f"{PREFIX}{self.open_section}_".upper()
        free = {
            name: f"{self.open_section}.{name.removeprefix(prefix)}"
            for name in present
            if name.startswith(prefix)
        }
        return short | full | {name: path for name, path in free.items() if self.find(path)}


def problem(name: str, why: str, origin: str) -> str:
    """Return a line for the operator about a problem and its place."""
    return f"{name}: {why} (from {origin})"


def read_variables(text: str) -> tuple[dict[str, str], list[int]]:
    """Return the variables of a file, and the numbers of the lines that are none."""
    variables: dict[str, str] = {}
    wrong: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        match = DOTENV_LINE.fullmatch(line)
        if match:
            variables[match["name"]] = match["single"] or match["double"] or match["bare"] or ""
        elif line.strip() and not line.lstrip().startswith("#"):
            wrong.append(number)
    return variables, wrong


def flag_help(catalogue: Catalogue) -> str:
    """Return the help text of every flag."""
    return _parser(catalogue, []).format_help()


@attrs.define
class Sources:
    """Gathers the layers of all sources, weakest first, and the problems in them."""

    catalogue: Catalogue
    cwd: Path
    layers: list[LoadedSettings] = attrs.field(factory=list)
    problems: list[str] = attrs.field(factory=list)
    keys: list[tuple[str, str, str]] = attrs.field(factory=list, repr=False)
    """Plain variables with keys of the pool: the name, the raw value, the origin."""

    def add(self, values: Mapping[str, object], origin: str) -> None:
        """Add a layer of values by path over the present ones."""
        self.layers.append(self._layer(values, origin))

    def _layer(self, values: Mapping[str, object], origin: str) -> LoadedSettings:
        tree: dict[str, Any] = {}
        for path, value in values.items():
            set_path(tree, path, value)
        return LoadedSettings(tree, LoaderMeta(origin, base_dir=self.cwd))

    def word(self, path: str) -> str:
        """Return the raw value of the strongest layer that has one, in lower case."""
        section, _, key = path.partition(".")
        tables = [layer.settings.get(section, {}) for layer in self.layers]
        found = [table[key] for table in tables if key in table]
        return str(found[-1]).strip().lower() if found else ""

    def options(self) -> list[OptionInfo]:
        """Return every setting that has a value in some layer."""
        names = [
            f"{self.catalogue.open_section}.{name}"
            for layer in self.layers
            for name in layer.settings.get(self.catalogue.open_section, ())
        ]
        found = (self.catalogue.find(path) for path in dict.fromkeys(names))
        free = {option.path: option for option in found if option}
        return list((dict(self.catalogue.options) | free).values())

    def read_flags(self, argv: Sequence[str]) -> tuple[Named, Flags]:
        """Return the files that flags name, and the other flags."""
        parser = _parser(self.catalogue, argv)
        try:
            namespace, rest = parser.parse_known_args(argv)
        except argparse.ArgumentError as error:
            self.problems.append(f"{error} (from the command line)")
            return Named(), {}
        self._refuse_rest(rest, parser)
        flags = vars(namespace)
        return Named(flags.pop("config", []), flags.pop("env_file", [])), flags

    def _refuse_rest(self, rest: Sequence[str], parser: argparse.ArgumentParser) -> None:
        known = parser._option_string_actions  # noqa: SLF001 (argparse names flags nowhere else)
        for before, argument in zip(["", *rest], rest, strict=False):
            if argument.startswith("-"):
                self._refuse(argument.partition("=")[0], known, "the command line")
            elif not before.startswith("-"):  # otherwise it is the value of that unknown flag
                self.problems.append(problem(argument, "not expected", "the command line"))

    def add_flags(self, flags: Flags) -> None:
        """Add the values of flags, each as a layer with the flag's name."""
        for path, (value, flag) in flags.items():
            self.add({path: value}, f"flag {flag}")

    def read_environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return the variables without those that Kubernetes or Docker set for a Service."""
        return {
            name: value
            for name, value in variables.items()
            if not SERVICE_LINK.fullmatch(name)
            and not (name.startswith(PREFIX) and SERVICE_ADDRESS.fullmatch(value))
        }

    def read_env_files(self, named: Sequence[str] = ()) -> list[tuple[str, dict[str, str]]]:
        """Return the variables of the files ``named``, or else of ``.env``, by their labels.

        A file has lines NAME=value, with quotes and comments.
        """
        if named:
            origin = "flag --env-file"
            return [(file, self._variables(self.cwd / file, file, origin)) for file in named]
        usual = self.cwd / ".env"
        if not usual.is_file():
            return []
        return [(".env", self._variables(usual, ".env", "the working directory"))]

    def _variables(self, file: Path, label: str, named_by: str) -> dict[str, str]:
        variables, wrong = read_variables(self._text(file, named_by))
        self.problems += [problem(f"line {line}", "is not NAME=value", label) for line in wrong]
        return variables

    def add_aliases(
        self,
        label: str,
        variables: Mapping[str, str],
        aliases: Mapping[str, str],
        place: int | None = None,
    ) -> None:
        """Add the aliases; other programs may set them, so an empty one counts as unset.

        ``place`` is the number of the layers that are weaker; None: all that are present.
        """
        place = len(self.layers) if place is None else place
        layers = []
        for name, path in aliases.items():
            file = f"{name}_FILE"
            if variables.get(file) and self.catalogue.options[path].is_secret:
                layers.append(self._layer({path: f"file://{variables[file]}"}, f"{label} {file}"))
            if variables.get(name):
                layers.append(self._layer({path: variables[name]}, f"{label} {name}"))
        self.layers[place:place] = layers

    def add_keys(self, label: str, variables: Mapping[str, str]) -> None:
        """Add the keys in plain variables, which count together with those of other sources."""
        for name, raw in variables_with_keys(variables):
            self.keys.append((name, raw, f"{label} {name}"))

    def add_variables(self, label: str, variables: Mapping[str, str]) -> None:
        """Add our own names, and report unknown names with our prefix."""
        known = self.catalogue.variables(present=variables)
        for name, path in known.items():
            if name in variables:
                from_file = name.endswith("_FILE") and self.catalogue.options[path].is_secret
                value = f"file://{variables[name]}" if from_file else variables[name]
                self.add({path: value}, f"{label} {name}")
        for name in variables:
            if name.startswith(PREFIX) and name not in known and name != FILES_VARIABLE:
                self._refuse(name, known, label)

    def add_files(
        self, config: Sequence[str], variables: Mapping[str, str], places: Sequence[Path]
    ) -> None:
        """Add the named TOML files, or else the first conf that exists in a default place."""
        named = variables.get(FILES_VARIABLE)
        if config:
            self._add_named(config, "flag --config")
        elif named:
            self._add_named(filter(None, named.split(os.pathsep)), FILES_VARIABLE)
        else:
            found = [str(place / CONF) for place in places if (place / CONF).is_file()]
            self._add_named(found[:1], "the search for a file")

    def _add_named(self, files: Iterable[str], named_by: str) -> None:
        for file in files:
            path = self.cwd / file
            inside = path.is_relative_to(self.cwd)
            origin = str(path.relative_to(self.cwd) if inside else path)
            try:
                document = tomllib.loads(self._text(path, named_by))
            except tomllib.TOMLDecodeError as error:
                self.problems.append(problem(origin, f"is not TOML: {error}", named_by))
            else:
                self._add_document(document, origin)

    def _add_document(self, document: Mapping[str, Any], origin: str) -> None:
        values = dict(self._flatten(document))
        self.add({path: value for path, value in values.items() if self._is_known(path)}, origin)
        for path in values:
            if path in self._sections():
                self.problems.append(problem(path, "is not a table", origin))
            elif not self._is_known(path):
                sections = () if "." in path else self._sections()
                self._refuse(path, [*sections, *self.catalogue.options], origin)

    def _flatten(self, document: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        sections = self._sections()
        for section, table in document.items():
            if section not in sections or not isinstance(table, Mapping):
                yield section, table
                continue
            for key, value in table.items():
                name = key.upper() if section == self.catalogue.open_section else key
                yield f"{section}.{name}", value

    def _sections(self) -> list[str]:
        return list(dict.fromkeys(path.partition(".")[0] for path in self.catalogue.options))

    def _is_known(self, path: str) -> bool:
        return self.catalogue.find(path) is not None

    def _text(self, file: Path, named_by: str) -> str:
        try:
            return file.read_text(encoding="utf-8-sig")
        except OSError as error:
            self.problems.append(problem(str(file), f"cannot be read: {error.strerror}", named_by))
        except UnicodeDecodeError:
            self.problems.append(problem(str(file), "is not UTF-8", named_by))
        return ""

    def _refuse(self, name: str, known: Iterable[str], origin: str) -> None:
        candidates = list(known)
        guesses = [other for other in candidates if other.endswith(f".{name}")]
        guesses += difflib.get_close_matches(name, candidates, n=1)
        hint = f"; did you mean {guesses[0]}?" if guesses else ""
        self.problems.append(problem(name, f"no such setting{hint}", origin))


class _Record(argparse.Action):
    """Stores a value together with the spelling of its flag."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 (argparse passes it)
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, (values, option_string))


def _parser(catalogue: Catalogue, argv: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser of every flag, including the free names in ``argv``."""
    parser = argparse.ArgumentParser(
        usage="gemproxy [serve | check] [--config FILE] [--section.key VALUE] ...",
        add_help=False,
        allow_abbrev=False,
        exit_on_error=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--config", action="append", metavar="FILE", help="TOML file to read")
    parser.add_argument(
        "--env-file", action="append", metavar="FILE", help="variables, read in place of .env"
    )
    named = [argument.partition("=")[0].removeprefix("--") for argument in argv]
    for path in dict.fromkeys([*catalogue.options, *named]):
        option = catalogue.find(path)
        if option:
            _add_flag(parser, option)
    return parser


def _add_flag(parser: argparse.ArgumentParser, option: OptionInfo) -> None:
    section, _, key = option.path.partition(".")
    short = [f"--{key.replace('_', '-')}"] if section == SHORT_SECTION else []
    may_stand_alone = option.cls == Switch
    parser.add_argument(
        f"--{option.path}",
        *short,
        action=_Record,
        dest=option.path,
        nargs="?" if may_stand_alone else None,
        const="true" if may_stand_alone else None,
        metavar="VALUE",
        help=option.metadata.get("argparse", {}).get("help", "").replace("%", "%%"),
    )
