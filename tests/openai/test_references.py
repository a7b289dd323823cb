"""Where references lead."""

import pytest

from gemproxy.openai.references import References

ROOT = {
    "$id": "https://example.com/root.json",
    "properties": {"a/b": {"type": "null"}, "list": {"prefixItems": [{"type": "string"}]}},
    "$defs": {
        "Size": {"$anchor": "size"},
        "a/b": {},
        "a~b": {},
        "50%": {},
        "Resp[int]": {},
        "Other": {"$id": "other.json"},
        "Old": {"id": "#old"},
        "always": True,
        "value": 7,
    },
    "definitions": {"Tag": {}},
}


@pytest.mark.parametrize(
    ("ref", "path"),
    [
        ("#", ()),
        ("https://example.com/root.json", ()),
        ("https://example.com/root.json#", ()),
        ("https://example.com/root.json#/$defs/Size", ("$defs", "Size")),
        ("#/$defs/Size", ("$defs", "Size")),
        ("#/definitions/Tag", ("definitions", "Tag")),
        ("#/$defs/a~1b", ("$defs", "a/b")),
        ("#/$defs/a~0b", ("$defs", "a~b")),
        ("#/$defs/50%25", ("$defs", "50%")),
        ("#/$defs/50%", ("$defs", "50%")),
        ("#/%24defs/Resp%5Bint%5D", ("$defs", "Resp[int]")),
        ("#/properties/a~1b", ("properties", "a/b")),
        ("#/properties/list/prefixItems/0", ("properties", "list", "prefixItems", "0")),
        ("#size", ("$defs", "Size")),
        ("other.json", ("$defs", "Other")),
        ("#old", ("$defs", "Old")),
        ("Tag", ("definitions", "Tag")),
        ("#/$defs/always", ("$defs", "always")),
    ],
)
def test_a_reference_is_found(ref: str, path: tuple[str, ...]) -> None:
    references = References(ROOT)
    assert references.path(ref) == path
    assert references.at(path) is not None


@pytest.mark.parametrize(
    "ref",
    [
        "#/$defs/Nope",
        "#/properties/list/prefixItems/1",
        "#/properties/list/prefixItems/x",
        "#/$defs/value",
        "#/$defs/value/x",
        "#nope",
        "https://example.com/elsewhere.json",
        "https://example.com/elsewhere.json#/$defs/Size",
        "file:///etc/passwd",
        "",
        7,
        None,
        {},
    ],
)
def test_a_reference_that_leads_nowhere(ref: object) -> None:
    assert References(ROOT).path(ref) is None


@pytest.mark.parametrize("root", [True, [], None, "x"])
def test_a_root_that_is_no_object_has_nothing(root: object) -> None:
    assert References(root).path("#/a") is None
    assert References(root).path("x") is None
