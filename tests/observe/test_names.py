"""Names that outputs may show."""

import pytest

from gemproxy.observe.names import is_name


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("ann b.c-d_e@f", True),
        ("", False),
        (" ann", False),
        ("ann ", False),
        ("a/b", False),
        ("x" * 65, False),
        ("AIzaSyCanaryCanaryCanaryCanaryCanaryCanary", False),
    ],
)
def test_a_name_fits_where_it_is_shown(text: str, fits: bool) -> None:
    assert is_name(text) == fits
