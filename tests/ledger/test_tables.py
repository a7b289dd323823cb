"""Tables: what they must have room for."""

import attrs

from gemproxy.ledger.row import Ending, Row, Try
from gemproxy.ledger.tables import ATTEMPTS, ENDINGS, GENERATIONS


def test_each_field_of_a_row_has_its_column() -> None:
    fields = {*Row.__struct_fields__} - {"tries"}

    assert {column.name for column in GENERATIONS.c} == fields | {"process", "bucket"}


def test_each_field_of_a_try_has_its_column() -> None:
    fields = {field.name for field in attrs.fields(Try)}

    assert {column.name for column in ATTEMPTS.c} == fields | {"serial", "number"}


def test_each_ending_has_a_number() -> None:
    assert ENDINGS.keys() == set(Ending)
    assert len(set(ENDINGS.values())) == len(Ending)
