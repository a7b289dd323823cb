"""Where files are that settings need not name."""

from pathlib import Path

from gemproxy.accounts.prices import BadPrices, Prices, parse_prices
from gemproxy.observe.logs import redact

PACKAGE = Path(__file__).resolve().parents[1]
CHECKOUT = PACKAGE.parent

PRICES = Path("conf", "prices.toml")


def price_table(named: str) -> Path | None:
    """Return the file with the prices: the one that ``accounts.prices`` names, or the default.

    The default is in the working directory, else in the checkout, else the one that was installed
    with the package; None if there is none.
    """
    if named:
        return Path(named)
    found = (place / PRICES for place in (Path.cwd(), CHECKOUT, PACKAGE))
    return next((file for file in found if file.is_file()), None)


def prices_of(named: str) -> Prices:
    """Return the prices in the file that ``accounts.prices`` names, or in the default one.

    Raises ValueError, with a sentence, if it cannot be used.
    """
    file = price_table(named)
    if file is None:
        return Prices()
    shown = redact(repr(named or str(file)))
    try:
        return parse_prices(file.read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"{shown} cannot be read: {error.strerror}") from None
    except BadPrices as error:
        raise ValueError(f"{shown}: {error}") from None
    except ValueError as error:  # no UTF-8
        raise ValueError(f"{shown} is not TOML: {error}") from None
