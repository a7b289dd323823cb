"""What the sources of settings say, and the file with the prices."""

from gemproxy.config.places import price_table, prices_of
from gemproxy.doctor.aside import aside
from gemproxy.doctor.case import Case
from gemproxy.doctor.finding import Verdict, Verdicts, ok, warning

_DEFAULT = "default"


async def settings(case: Case) -> Verdicts:
    """Judge the settings; their problems are told by the table's runner."""
    if case.warnings:
        return [
            warning(f"{one.setting}: {one.why}", f"correct it in {one.origin}")
            for one in case.warnings
        ]
    origins = (origin.partition(" ")[0] for origin in case.origins.values() if origin != _DEFAULT)
    places = ", ".join(dict.fromkeys(origins))
    return [ok(f"all can be used; set by: {places}" if places else "all have their defaults")]


async def prices(case: Case) -> Verdicts:
    """Judge the file with prices."""
    if any(problem.setting == "accounts.prices" for problem in case.problems):
        return []
    return [await aside(lambda: _prices(case.settings.accounts.prices))]


def _prices(named: str) -> Verdict:
    file = price_table(named)
    if file is None:
        return warning(
            "there is no file with prices, so no request has a cost",
            "set accounts.prices to one; conf/prices.toml of gemproxy is an example",
        )
    prices_of(named)
    return ok(f"'{file}' can be used")
