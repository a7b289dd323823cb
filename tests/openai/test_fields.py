"""Values of an OpenAI request, and errors that name their field."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from gemproxy.core.errors import BadField
from gemproxy.openai.fields import a_list, a_switch, a_text, an_integer, an_object

COUNT = partial(an_integer, least=1, most=8)


@pytest.mark.parametrize(
    ("read", "right", "wrong"),
    [
        (an_object, {"a": 1}, []),
        (a_list, [1], {}),
        (a_text, "", 1),
        (a_switch, False, 0),
        (COUNT, 8, 9),
        (COUNT, 1, 0),
        (COUNT, 2, True),
        (COUNT, 2, 2.0),
        (partial(an_integer, least=0), 10**20, -1),
    ],
)
def test_a_value_of_the_right_kind_is_returned(
    read: Callable[[object, str], Any], right: object, wrong: object
) -> None:
    assert read(right, "n") == right
    with pytest.raises(BadField, match="must be ") as raised:
        read(wrong, "messages[0].name")
    assert raised.value.field == "messages[0].name"
