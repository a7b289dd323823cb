"""The document of the admin API describes all that it has, and is closed to what it has not."""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from gemproxy.admin.document import document
from gemproxy.admin.route import Form, Route
from gemproxy.admin.table import ROUTES

TEXTS_OF_ROUTE = ("operationId", "summary")


class _Bare(Form, frozen=True):
    """A form with a field that nobody described."""

    bare: int = 0


class _Undescribed(Form, frozen=True):
    pass


def undescribed(rows: tuple[Route, ...]) -> list[str]:
    """Return the names of all that the document of ``rows`` does not describe."""
    return [*_of_forms(document(rows)), *_of_paths(document(rows))]


def _of_forms(made: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in made["components"]["schemas"].items():
        if not schema.get("description"):
            yield name
        for field, of_field in schema.get("properties", {}).items():
            if not of_field.get("description"):
                yield f"{name}.{field}"


def _of_paths(made: Mapping[str, Any]) -> Iterator[str]:
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            if not all(operation[text] for text in TEXTS_OF_ROUTE):
                yield f"{method} {path}"
            for parameter in operation["parameters"]:
                if not parameter.get("description"):
                    yield f"{method} {path} {parameter['name']}"


def test_every_route_parameter_and_field_is_described() -> None:
    assert undescribed(ROUTES) == []


def test_a_field_a_parameter_or_a_form_without_a_description_is_found() -> None:
    row = ROUTES[0]

    assert undescribed((attrs.evolve(row, answer=_Bare),)) == ["_Bare.bare"]
    assert undescribed((attrs.evolve(row, query=_Bare),)) == ["get /admin/api/v1/openapi.json bare"]
    assert undescribed((attrs.evolve(row, answer=_Undescribed),)) == ["_Undescribed"]
    assert undescribed((attrs.evolve(row, summary=""),)) == ["get /admin/api/v1/openapi.json"]


def test_every_route_is_in_the_document_under_a_name_of_its_own() -> None:
    operations = [
        (method.upper(), path, operation)
        for path, methods in document(ROUTES)["paths"].items()
        for method, operation in methods.items()
    ]

    assert sorted((row.method, row.base + row.path) for row in ROUTES) == sorted(
        (method, path) for method, path, _ in operations
    )
    names = [operation["operationId"] for *_, operation in operations]
    assert len(set(names)) == len(names)


def test_the_answers_have_no_field_beside_those_in_the_document() -> None:
    for name, schema in document(ROUTES)["components"]["schemas"].items():
        assert "properties" not in schema or schema["additionalProperties"] is False, name
