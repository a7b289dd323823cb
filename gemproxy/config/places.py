"""Where files are that settings need not name."""

import tomllib
from pathlib import Path

from gemproxy.observe.logs import redact

CHECKOUT = Path(__file__).resolve().parents[2]

PRICES = Path("conf", "prices.toml")


def price_table(named: str) -> Path | None:
    """Return the file with the prices: the one that ``accounts.prices`` names, or the default.

    The default is in the working directory, else in the checkout; None if there is none.
    """
    if named:
        return Path(named)
    found = (place / PRICES for place in (Path.cwd(), CHECKOUT))
    return next((file for file in found if file.is_file()), None)


def readable_prices(named: str) -> None:
    """Raise ValueError, with a sentence, if the file that ``accounts.prices`` names is no TOML."""
    if not named:
        return
    shown = redact(repr(named))
    try:
        tomllib.loads(Path(named).read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"{shown} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{shown} is not TOML: {error}") from None
