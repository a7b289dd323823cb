"""Charts: SVG that the policy of the pages lets through, with the figures as titles."""

from xml.etree import ElementTree as ET

from gemproxy.pages.charts import Chart, draw

EVIL = '<script>alert(1)</script>" onload="x'
SVG = {"svg", "g", "path", "rect", "text", "circle", "title"}
PLAIN = {"class", "cx", "cy", "d", "height", "r", "transform", "viewBox", "width", "x", "y"}


def elements_of(chart: Chart) -> list[ET.Element]:
    return list(ET.fromstring(draw(chart, "heading")).iter())


def titles_of(chart: Chart) -> list[str | None]:
    return [one.text for one in elements_of(chart) if one.tag == "title"]


def test_a_chart_has_neither_style_nor_script_nor_foreign_markup() -> None:
    for stacked in (True, False):
        chart = Chart([EVIL, "b"], {EVIL: [1, 2], "other": [3, None]}, str, stacked=stacked)
        root, *rest = elements_of(chart)

        assert {one.tag for one in (root, *rest)} <= SVG
        assert {name for one in rest for name in one.attrib} <= PLAIN
        assert root.attrib == {
            "class": "chart",
            "viewBox": "0 0 720 220",
            "role": "img",
            "aria-labelledby": "heading",
        }


def test_bars_and_points_say_their_label_and_their_value() -> None:
    rows: dict[str, list[float | None]] = {"in": [1.5, 0, None], "out": [2, 3, None]}

    assert titles_of(Chart(["a", "b", "c"], rows, "{:.2f}".format)) == [
        "a · in: 1.50",
        "a · out: 2.00",
        "b · out: 3.00",
    ]
    assert titles_of(Chart(["a", "b", "c"], rows, "{:.2f}".format, stacked=False)) == [
        "a · in: 1.50",
        "b · in: 0.00",
        "a · out: 2.00",
        "b · out: 3.00",
    ]


def test_no_figures_draw_an_empty_chart() -> None:
    for stacked in (True, False):
        assert titles_of(Chart(["a", "b"], {"in": [None, None]}, str, stacked=stacked)) == []


def test_ninety_days_are_small() -> None:
    days = [f"{day:02}" for day in range(90)]
    chart = Chart(days, {name: list(range(90)) for name in "abc"}, str)

    assert len(draw(chart, "heading")) < 30_000
