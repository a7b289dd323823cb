"""The price table: dated prices of models, from a TOML file that operators edit.

    [[models]]
    name = "gemini-x"                     # a digit may be written as #: gemini-x-0##
    also = ["gemini-x-preview-##-####"]   # other names with the same prices

    [[models.prices]]                     # one list for each change, oldest first
    from = 2026-01-01                     # the first list may leave it out: since ever
    source = "https://..."                # where the prices were read
    checked = 2026-11-28                  # when
    input = 1.25                          # USD per million tokens
    output = 10

    [models.prices.long]                  # of a long prompt; the others stay
    above = 200000                        # prompt tokens, cached ones included
    input = 2.5

A name is found as it is written, else by the first pattern that it matches; ``models/`` before it
is left out. No other name is taken for it: a model that the table does not name has no price. The
list that is valid at the start of a request counts; a day begins at midnight UTC.

A kind of token without a price of its own costs what the kind costs that it is a part of:
``input_audio``, ``input_image``, ``input_video`` and ``cached`` are parts of ``input``,
``cached_audio`` of ``cached``, ``thoughts`` and ``output_audio``, ``output_image``,
``output_video`` of ``output``. ``per_picture`` and ``per_second`` (USD) are for models that bill
what they make. ``batch``, ``flex`` and ``priority`` multiply all prices for requests of that
service tier. Storage of caches, and requests for grounding, have no price here.

All prices are exact decimals, kept as integers: nano-dollars for a million tokens, for a million
pictures, for a million seconds.
"""

import datetime as dt
import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from gemproxy.accounts.user import NANO

MILLION = 1_000_000

_TOKENS = (
    *("input", "input_audio", "input_image", "input_video", "cached", "cached_audio"),
    *("output", "output_audio", "output_image", "output_video", "thoughts"),
)
_THINGS = ("per_picture", "per_second")
_FACTORS = ("batch", "flex", "priority")
_PART_OF = {
    "input_audio": "input",
    "input_image": "input",
    "input_video": "input",
    "output_audio": "output",
    "output_image": "output",
    "output_video": "output",
    "thoughts": "output",
    "cached": "input",
}
_LIST = frozenset({"from", "source", "checked", "long", *_TOKENS, *_THINGS, *_FACTORS})
_LONG = frozenset({"above", *_TOKENS})
_MODEL = frozenset({"name", "also", "prices"})
_NAME = re.compile(r"[A-Za-z0-9._:/@#-]{1,200}")
_MOST_DOLLARS = 1_000_000
_PREFIX = "models/"
_DIGIT = "[0-9]"
_MOST_FOUND = 1024

Table = Mapping[str, Any]


class BadPrices(ValueError):
    """A price table that cannot be used; the message says where and why."""


@attrs.frozen
class Rates:
    """Prices in nano-dollars for a million of each kind; None where there is no price."""

    input: int | None = None
    input_audio: int | None = None
    input_image: int | None = None
    input_video: int | None = None
    cached: int | None = None
    cached_audio: int | None = None
    output: int | None = None
    output_audio: int | None = None
    output_image: int | None = None
    output_video: int | None = None
    thoughts: int | None = None
    per_picture: int | None = None
    per_second: int | None = None


@attrs.frozen
class PriceList:
    """The prices of a model from a day on.

    ``since`` is a Unix time in seconds, None for always. A prompt of more than ``above`` tokens
    has the prices of ``long``. ``factors`` are thousandths, by the name of a service tier.
    ``source`` says where the prices were read.
    """

    rates: Rates
    since: float | None = None
    above: int | None = None
    long: Rates | None = None
    factors: Mapping[str, int] = attrs.field(factory=dict)
    source: str = attrs.field(default="", eq=False)

    def for_prompt(self, tokens: int) -> Rates:
        """Return the prices of a request whose prompt has that many tokens, cached included."""
        if self.above is None or self.long is None or tokens <= self.above:
            return self.rates
        return self.long


@attrs.frozen
class Prices:
    """The price lists of all models, newest first."""

    names: Mapping[str, Sequence[PriceList]] = attrs.field(factory=dict, repr=False)
    patterns: Sequence[tuple[re.Pattern[str], Sequence[PriceList]]] = attrs.field(
        default=(), repr=False
    )

    _found: dict[str, Sequence[PriceList]] = attrs.field(
        factory=dict, init=False, repr=False, eq=False
    )

    def of(self, model: str, when: float) -> PriceList | None:
        """Return the prices of ``model`` at a Unix time; None if there are none."""
        lists = self._found.get(model)
        if lists is None:
            if len(self._found) >= _MOST_FOUND:
                self._found.clear()
            lists = self._found[model] = self._lists(model.removeprefix(_PREFIX))
        for one in lists:
            if one.since is None or one.since <= when:
                return one
        return None

    def name_of(self, model: str) -> str | None:
        """Return the name in the table that covers a model, with # for digits; None for none."""
        name = model.removeprefix(_PREFIX)
        if name in self.names:
            return name
        found = (pattern for pattern, _ in self.patterns if pattern.fullmatch(name))
        return next((_written(pattern) for pattern in found), None)

    def by_names(self) -> list[tuple[list[str], Sequence[PriceList]]]:
        """Return the names of each model, with # for digits, and its lists, newest first."""
        named = [*self.names.items()]
        named += [(_written(pattern), lists) for pattern, lists in self.patterns]
        found: dict[int, tuple[list[str], Sequence[PriceList]]] = {}
        for name, lists in named:  # names of one model share its lists
            found.setdefault(id(lists), ([], lists))[0].append(name)
        return [*found.values()]

    def _lists(self, name: str) -> Sequence[PriceList]:
        """Return the lists of a model; requests name few models, so they are searched once."""
        if name in self.names:
            return self.names[name]
        found = (lists for pattern, lists in self.patterns if pattern.fullmatch(name))
        return next(found, ())


@functools.lru_cache(maxsize=2)
def parse_prices(text: str) -> Prices:
    """Return the table in a TOML text. Raises BadPrices, with the line and the field."""
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, ArithmeticError) as error:
        raise BadPrices(f"is not TOML: {error}") from None
    reader = _Reader(text)
    reader.check_names(document, frozenset({"models"}), ())
    models = document.get("models", [])
    if not isinstance(models, list) or not all(isinstance(model, dict) for model in models):
        raise BadPrices("models: must be an array of tables, [[models]]")
    names: dict[str, Sequence[PriceList]] = {}
    patterns: list[tuple[re.Pattern[str], Sequence[PriceList]]] = []
    seen: set[str] = set()
    for place, model in enumerate(models):
        lists = reader.lists(model, place)
        for name in reader.names(model, place, seen):
            if "#" in name:
                patterns.append((_pattern(name), lists))
            else:
                names[name] = lists
    return Prices(names, patterns)


@attrs.frozen
class _Reader:
    """Reads the tables of one file; ``text`` is for the numbers of lines."""

    text: str = attrs.field(repr=False)

    def check_names(self, table: Table, known: frozenset[str], at: tuple[int, ...]) -> None:
        """Refuse fields that the table does not have."""
        for field in table:
            if field not in known:
                raise self.bad(at, field, f"is unknown; known are {', '.join(sorted(known))}")

    def names(self, model: Table, place: int, seen: set[str]) -> list[str]:
        """Return the names of a model, none of which was ``seen`` before."""
        also = model.get("also", [])
        if not isinstance(also, list):
            raise self.bad((place,), "also", "must be an array of names")
        names = [("name", model.get("name")), *(("also", name) for name in also)]
        for field, name in names:
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise self.bad((place,), field, "must be the name of a model")
            if name.startswith(_PREFIX):
                raise self.bad((place,), field, f"must not begin with {_PREFIX}")
            if name in seen:
                raise self.bad((place,), field, f"{name} has prices already")
            seen.add(name)
        return [name for _, name in names if isinstance(name, str)]

    def lists(self, model: Table, place: int) -> Sequence[PriceList]:
        """Return the price lists of a model, newest first."""
        self.check_names(model, _MODEL, (place,))
        tables = model.get("prices")
        if not isinstance(tables, list) or not tables:
            raise self.bad((place,), "prices", "must be an array of tables, [[models.prices]]")
        lists: list[PriceList] = []
        for number, table in enumerate(tables):
            at = (place, number)
            if not isinstance(table, dict):
                raise self.bad(at, "prices", "must be a table")
            one = self._list(table, at)
            if lists and (one.since is None or one.since <= (lists[0].since or float("-inf"))):
                raise self.bad(at, "from", "must be a later day than that of the list before it")
            lists.insert(0, one)
        return lists

    def _list(self, table: Table, at: tuple[int, ...]) -> PriceList:
        self.check_names(table, _LIST, at)
        if not isinstance(table.get("source"), str) or not table["source"]:
            raise self.bad(at, "source", "must say where the prices were read")
        self._day(table, "checked", at, needed=True)
        given = {field: self._money(table, field, at) for field in (*_TOKENS, *_THINGS)}
        if all(price is None for price in given.values()):
            raise self.bad(at, "prices", "has no price")
        above, long = None, None
        if "long" in table:
            above, long = self._long(table["long"], given, at)
        return PriceList(
            _rates(given),
            self._day(table, "from", at),
            above,
            long,
            {field: self._factor(table, field, at) for field in _FACTORS if field in table},
            table["source"],
        )

    def _long(
        self, table: object, usual: Mapping[str, int | None], at: tuple[int, ...]
    ) -> tuple[int, Rates]:
        if not isinstance(table, dict):
            raise self.bad(at, "long", "must be a table")
        self.check_names(table, _LONG, at)
        above = table.get("above")
        if not isinstance(above, int) or isinstance(above, bool) or above <= 0:
            raise self.bad(at, "above", "must be a number of tokens")
        given = {field: self._money(table, field, at) for field in _TOKENS}
        named = {field: price for field, price in given.items() if price is not None}
        return above, _rates({**usual, **named})

    def _money(self, table: Table, field: str, at: tuple[int, ...]) -> int | None:
        """Return a price in nano-dollars for a million."""
        value = table.get(field)
        if value is None:
            return None
        dollars = self._number(value, field, at)
        if dollars > _MOST_DOLLARS:
            raise self.bad(at, field, f"must be at most {_MOST_DOLLARS} dollars")
        nano = dollars * NANO * (MILLION if field in _THINGS else 1)
        if nano != int(nano):
            raise self.bad(at, field, "has more than nine decimals")
        return int(nano)

    def _factor(self, table: Table, field: str, at: tuple[int, ...]) -> int:
        """Return a factor in thousandths."""
        thousandths = self._number(table[field], field, at) * 1000
        if thousandths != int(thousandths) or not 0 < thousandths <= _MOST_DOLLARS:
            raise self.bad(at, field, "must be a factor with at most three decimals")
        return int(thousandths)

    def _number(self, value: object, field: str, at: tuple[int, ...]) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self.bad(at, field, "must be a number, without quotes")
        number = Decimal(value)
        if not number.is_finite() or number < 0:
            raise self.bad(at, field, "must be a number that is not negative")
        return number

    def _day(
        self, table: Table, field: str, at: tuple[int, ...], *, needed: bool = False
    ) -> float | None:
        """Return the beginning of a day, as a Unix time."""
        value = table.get(field)
        if value is None and not needed:
            return None
        if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
            raise self.bad(at, field, "must be a date, like 2026-11-28")
        midnight = dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
        return midnight.timestamp()

    def bad(self, at: tuple[int, ...], field: str, why: str) -> BadPrices:
        """Return the error about a field of the model, and of the list, at these places."""
        line = self._line(at, field)
        return BadPrices(f"line {line}: {field} {why}" if line else f"{field} {why}")

    def _line(self, at: tuple[int, ...], field: str) -> int:
        """Return the line of a field, or of the table that lacks it; 0 if it cannot be found."""
        lines = self.text.splitlines()
        begin, end = 0, len(lines)
        for place, header in zip(at, ("[[models]]", "[[models.prices]]"), strict=False):
            starts = [n for n in range(begin, end) if _bare(lines[n]) == header]
            if place >= len(starts):
                break
            end = starts[place + 1] if place + 1 < len(starts) else end
            begin = starts[place]
        wanted = re.compile(rf"""["']?{re.escape(field)}["']?\s*=""")
        places = [n for n in range(begin, end) if wanted.match(lines[n].strip())]
        return (places[0] if places else begin) + 1 if lines else 0


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(re.escape(name).replace(r"\#", _DIGIT))


def _written(pattern: re.Pattern[str]) -> str:
    """Return the name that a pattern was made of."""
    return re.sub(r"\\(.)", r"\1", pattern.pattern.replace(_DIGIT, "#"))


def _bare(line: str) -> str:
    return line.partition("#")[0].replace(" ", "").strip()


def _rates(given: Mapping[str, int | None]) -> Rates:
    """Return the prices; a part without a price of its own has that of its whole."""
    known = dict(given)
    cached = known["cached"]
    for part, whole in _PART_OF.items():
        if known[part] is None:
            known[part] = known[whole]
    if known["cached_audio"] is None:
        known["cached_audio"] = known["input_audio"] if cached is None else cached
    return Rates(**known)
