"""Draws charts as SVG that stands in a page: no style, no script and no event in it.

pygal computes the drawing. Its own style sheet and script would be stopped by the policy of the
pages, so they are taken out, with all that only its script reads; the colours are those of
``static/overview.css``, in light and in dark. A bar and a point have their label and their value as
a title. The figures of a chart stand in a table beside it, which screen readers read.
"""

import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

import attrs
import pygal  # type: ignore[import-untyped]  # it has no types
from markupsafe import Markup
from pygal.style import Style  # type: ignore[import-untyped]  # it has no types

_WIDTH, _HEIGHT = 720, 220
_LABELS = 8
"""Labels below a chart, about."""
_DRAWN = {"circle", "g", "path", "rect", "text"}
_OVERLAYS = {"text-overlay", "tooltip-overlay"}
_MARKS = {"bar", "dots"}
_KEPT = {"class", "cx", "cy", "d", "height", "r", "transform", "viewBox", "width", "x", "y"}
_LONG = re.compile(r"-?\d+\.\d+")
_SERIES = re.compile(r"serie-(\d+)")
_STYLE = Style(label_font_size=11, major_label_font_size=11, font_family="sans-serif")

Shown = Callable[[float], str]

# pygal looks for packages of maps at every import from then on, in a way that Python has dropped.
sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, pygal.PluginImportFixer)]


@attrs.frozen
class Chart:
    """What is drawn: a row of figures for each name, one figure for each label.

    ``stacked``: as bars on top of each other, else as lines; a figure may be None. ``shown``
    writes a figure for people.
    """

    labels: Sequence[str]
    rows: Mapping[str, Sequence[float | None]]
    shown: Shown
    stacked: bool = True


def draw(chart: Chart, title: str) -> Markup:
    """Return a chart as SVG; ``title`` is the id of the element that names it."""
    drawn = _tree(chart)
    _clean(drawn, list(chart.rows), "")
    drawn.attrib |= {"role": "img", "aria-labelledby": title, "class": "chart"}
    return Markup(ET.tostring(drawn, encoding="unicode"))  # noqa: S704 (escaped by the writer of XML)


def _tree(chart: Chart) -> ET.Element:
    """Return pygal's drawing."""

    def shown(value: float | None) -> str:  # pygal looks at the parameters of a function
        return "" if value is None else chart.shown(value)

    empty = not any(any(row) for row in chart.rows.values())
    options = {
        "width": _WIDTH,
        "height": _HEIGHT,
        "style": _STYLE,
        "js": [],
        "css": [],
        "show_legend": False,
        "x_labels_major_every": max(1, math.ceil(len(chart.labels) / _LABELS)),
        "show_minor_x_labels": False,
        "formatter": shown,
        "value_formatter": shown,
        "margin": 8,
        "spacing": 6,
        "range": (0, 1) if empty else None,
        "max_scale": 6,
        "include_x_axis": True,
        "truncate_label": -1,
    }
    made = pygal.StackedBar(**options) if chart.stacked else _lines(options)
    made.x_labels = list(chart.labels)
    for name, row in chart.rows.items():
        made.add(name, list(row))
    tree: ET.Element = made.render_tree()
    return tree


def _lines(options: Mapping[str, Any]) -> Any:  # noqa: ANN401 (pygal has no types)
    return pygal.Line(dots_size=3, allow_interruptions=True, **options)


def _clean(element: ET.Element, names: Sequence[str], name: str) -> None:
    """Take out what is not drawn and every attribute that is not known; ``name`` is of the row."""
    found = _SERIES.search(element.get("class", ""))
    name = names[int(found[1])] if found else name
    for child in list(element):
        tag = str(child.tag).rpartition("}")[2]  # that of a comment is a function
        classes = {*child.get("class", "").split()}
        if tag not in _DRAWN or classes & _OVERLAYS or _is_flat(child, classes):
            element.remove(child)
        elif classes & _MARKS:
            element[list(element).index(child)] = _mark(child, name)
        else:
            child.tag = tag
            _clean(child, names, name)
    kept = _kept(element)
    element.attrib.clear()
    element.attrib.update(kept)


def _is_flat(group: ET.Element, classes: set[str]) -> bool:
    """Return whether a group is a bar without a height."""
    return "bar" in classes and float(group[0].get("height", 1)) == 0


def _mark(group: ET.Element, name: str) -> ET.Element:
    """Return the bar or the point of a group, with its label and its value as its title."""
    drawn, *told = group
    words = {one.get("class", ""): one.text or "" for one in told}
    mark = ET.Element(drawn.tag.rpartition("}")[2], _kept(drawn))
    mark.attrib.pop("class", None)
    title = ET.SubElement(mark, "title")
    title.text = f"{words.get('x_label', '')} · {name}: {words.get('value', '')}"
    return mark


def _kept(element: ET.Element) -> dict[str, str]:
    """Return the attributes that stay, with short numbers."""
    attributes = element.attrib.items()
    return {key: _LONG.sub(_short, text) for key, text in attributes if key in _KEPT and text}


def _short(found: re.Match[str]) -> str:
    return f"{float(found[0]):.1f}".removesuffix(".0")
