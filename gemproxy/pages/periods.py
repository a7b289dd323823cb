"""The periods of figures on pages, which are whole days of the proxy's own zone."""

import datetime as dt

from gemproxy.pages.page import Visit


def since_of(visit: Visit, days: int) -> str | None:
    """Return the first of the last ``days`` days, today among them; None without a ledger."""
    figures = visit.desk.figures
    if figures is None:
        return None
    today = dt.datetime.fromtimestamp(figures.clock(), figures.queries.calendar.zone).date()
    return (today - dt.timedelta(days=days - 1)).isoformat()
