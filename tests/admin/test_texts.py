"""Texts that fit the schemas of the document are taken by the code that reads them."""

import calendar
import re
from typing import Any, get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.accounts.calendar import Calendar
from gemproxy.admin import texts
from gemproxy.admin.document import document
from gemproxy.admin.periods import moment_of
from gemproxy.admin.table import ROUTES
from gemproxy.config.operators import key_of
from gemproxy.metering.permits import expiry_of, models_of
from gemproxy.observe.names import is_name

BERLIN = ZoneInfo("Europe/Berlin")


def fitting(annotated: Any) -> st.SearchStrategy[str]:
    """Return texts that fit the schema of a type."""
    (meta,) = (one for one in get_args(annotated) if isinstance(one, msgspec.Meta))
    assert meta.extra_json_schema is not None
    return matching(meta.extra_json_schema)


def matching(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """Return texts that match the pattern of a schema."""
    return st.from_regex(re.compile(schema["pattern"]), fullmatch=True).map(str.rstrip)


@given(fitting(texts.Time))
def test_a_time_that_fits_is_one(text: str) -> None:
    moment = moment_of("from", text, Calendar(BERLIN))

    assert 0 < moment.at <= moment.end


@given(fitting(texts.Day))
def test_a_day_that_fits_is_one(text: str) -> None:
    assert expiry_of(text, BERLIN) > 0


@given(st.integers(1971, 2999))
def test_leap_days_are_days_of_leap_years(year: int) -> None:
    leap = f"{year}-02-29"
    pattern = get_args(texts.Day)[1].extra_json_schema["pattern"]

    assert bool(re.search(pattern, leap)) is calendar.isleap(year)


@given(fitting(texts.PersonsName).filter(lambda name: "AIza" not in name))
def test_a_name_that_fits_is_one(text: str) -> None:
    assert is_name(text)


@given(fitting(texts.Models))
def test_a_model_that_fits_is_one(text: str) -> None:
    assert models_of([text]) == (text.removeprefix("models/"),)


@given(matching(texts.GEMINI_KEY), matching(texts.PROXY))
def test_a_key_with_a_proxy_that_fits_is_one(secret: str, proxy: str) -> None:
    assert key_of(secret, "", proxy).secret == secret


def test_every_zone_of_the_document_is_one() -> None:
    zones = document(ROUTES)["components"]["schemas"][texts.ZONE]["enum"]

    assert {"UTC", "Europe/Berlin", "America/Los_Angeles"} <= {*zones}
    assert all(ZoneInfo(name).key == name for name in zones)


@pytest.mark.parametrize("text", ["2026-02-30", "28.11.2026", "soon", "12"])
def test_a_text_that_is_no_time_does_not_fit(text: str) -> None:
    pattern = get_args(texts.Time)[1].extra_json_schema["pattern"]

    assert re.search(pattern, text) is None
