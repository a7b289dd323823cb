"""The id of a request is found in whatever somebody pastes."""

import json
import logging

import pytest

from gemproxy.observe.logs import JSONFormatter, TextFormatter, new_request_id
from gemproxy.pages.finding import MOST, ids_in

OURS = new_request_id()
JSON = f'{{"level": "INFO", "request_id": "{OURS}", "path": "/v1beta/models", "status": 200}}'
ERROR = {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "of-a.client_1"}


def line_of(formatter: logging.Formatter) -> str:
    record = logging.LogRecord("gemproxy.access", logging.INFO, "", 0, "request", None, None)
    record.request_id = "mine-1"
    record.status = 200
    return formatter.format(record)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mine", "mine"),
        (f"  {OURS}\n", OURS),
        (JSON, OURS),
        (f"2026-11-29T10:00:00Z stdout F {JSON}", OURS),
        (json.dumps(JSON), OURS),
        (json.dumps(ERROR, indent=2), "of-a.client_1"),
        ("X-Request-Id: mine-7", "mine-7"),
        (line_of(TextFormatter()), "mine-1"),
        (line_of(JSONFormatter(["message"])), "mine-1"),
        (f"something failed ({OURS})", OURS),
    ],
    ids=[
        *("alone", "spaced", "json", "container", "quoted", "error", "header", "text", "line"),
        "sentence",
    ],
)
def test_the_id_is_found(text: str, found: str) -> None:
    assert ids_in(text)[0] == found


@pytest.mark.parametrize("text", ["", "   ", "no id in here", "2026-11-29 INFO [-] started"])
def test_there_may_be_none(text: str) -> None:
    assert ids_in(text) == []


def test_only_a_few_candidates_are_looked_for() -> None:
    assert len(ids_in(" ".join(f"[{number}]" for number in range(100)))) == MOST
