"""The report as JSON and as a table."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gemproxy import __version__
from gemproxy.probe.judging import Seam
from gemproxy.probe.report import Excerpt, Finding, Judgement, Report

WHEN = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
EXCERPT = Excerpt("the lamp", " is on")


def finding(
    case: str, verdict: Judgement, *, model: str = "one", relied_on: bool = True
) -> Finding:
    return Finding(model, case, relied_on, verdict, "as it is", {"status": 400}, EXCERPT)


def report(*findings: Finding, **more: Any) -> Report:
    return Report("https://example.com", 0, began=WHEN, findings=list(findings), **more)


def test_the_document_says_what_was_run_and_what_came_out() -> None:
    document = json.loads(report(finding("wire", Judgement.HOLDS), complete=True).dumps())

    assert document["gemproxy"] == __version__
    assert document["date"] == "2026-11-21T08:30:00+00:00"
    assert (document["complete"], document["holds"]) == (True, True)
    assert document["findings"] == [
        {
            "model": "one",
            "case": "wire",
            "relied_on": True,
            "verdict": "holds",
            "reason": "as it is",
            "figures": {"status": 400},
            "excerpt": {"before": "the lamp", "after": " is on"},
        }
    ]


def test_without_excerpts_there_is_no_text_of_a_model() -> None:
    text = report(finding("wire", Judgement.FAILS), excerpts=False).dumps()

    assert "excerpt" not in text
    assert "lamp" not in text


def test_an_excerpt_is_at_most_eighty_characters() -> None:
    excerpt = Excerpt.of(Seam("a" * 500, "", "x" * 10 + "b" * 500, dropped=10))

    assert excerpt == Excerpt("a" * 40, "b" * 40)


def test_text_outside_of_ascii_and_half_characters_can_be_written() -> None:
    odd = Finding("one", "wire", True, Judgement.FAILS, "邮差", excerpt=Excerpt("\ud83d", "灯"))

    assert report(odd).dumps().isascii()


@pytest.mark.parametrize(
    ("findings", "holds"),
    [
        ([finding("a", Judgement.HOLDS)], True),
        ([finding("a", Judgement.HOLDS), finding("b", Judgement.SKIPPED)], True),
        ([finding("a", Judgement.HOLDS), finding("b", Judgement.FAILS)], False),
        ([finding("a", Judgement.HOLDS), finding("b", Judgement.REFUSED)], False),
        ([finding("a", Judgement.HOLDS), finding("b", Judgement.REFUSED, relied_on=False)], True),
        ([finding("a", Judgement.HOLDS), finding("b", Judgement.FAILS, relied_on=False)], True),
        ([finding("a", Judgement.SKIPPED)], False),
        ([], False),
    ],
)
def test_it_holds_when_nothing_that_is_relied_on_fails(
    findings: list[Finding], *, holds: bool
) -> None:
    assert report(*findings).holds is holds


def test_the_table_has_a_column_for_each_model_and_reasons_below() -> None:
    table = report(
        finding("wire", Judgement.HOLDS),
        finding("prefill", Judgement.REFUSED, relied_on=False),
        finding("wire", Judgement.FAILS, model="two"),
    ).table()

    assert table.splitlines() == [
        "case     one       two",
        "wire     holds     fails",
        "prefill  refused*  -",
        "",
        "one, prefill: refused*: as it is",
        "two, wire: fails: as it is",
        "* nothing that gemproxy relies on; for information",
    ]


def test_a_table_without_bad_news_ends_with_its_rows() -> None:
    assert report(finding("wire", Judgement.HOLDS)).table() == "case  one\nwire  holds"
