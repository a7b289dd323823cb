"""Which models a user may call."""

import pytest

from gemproxy.access.models import may_call, require
from gemproxy.accounts.user import User
from gemproxy.core.errors import Forbidden

ANN = User("abc", "ann", models=("gemini-2.5-pro", "models/gemma-3", "gemini-2.5-flash*"))


@pytest.mark.parametrize(
    "model",
    [
        "gemini-2.5-pro",
        "models/gemini-2.5-pro",
        "gemma-3",
        "models/gemma-3",
        "gemini-2.5-flash",
        "gemini-2.5-flash-lite",
        "Gemini-2.5-Pro",
        "publishers/google/models/gemini-2.5-pro",
    ],
)
def test_a_model_of_the_list_may_be_called(model: str) -> None:
    assert may_call(ANN, model)
    require(ANN, model)


@pytest.mark.parametrize(
    "model", ["gemini-2.5-pro-x", "gemini-2.5", "gemini-2.5-pro-1", "gemma-3*"]
)
def test_another_model_is_refused_in_words(model: str) -> None:
    with pytest.raises(Forbidden, match="may not call the model") as caught:
        require(ANN, f"models/{model}")

    assert (caught.value.status, caught.value.code) == (403, "PERMISSION_DENIED")
    assert f"model {model}." in caught.value.message
    assert "It may call: gemini-2.5-pro, models/gemma-3, gemini-2.5-flash*." in caught.value.message


def test_a_request_without_a_model_is_refused_too() -> None:
    with pytest.raises(Forbidden, match="the request names none"):
        require(ANN, "")
    with pytest.raises(Forbidden):
        require(User("abc", "ann", models=("*",)), "")


def test_without_a_list_everything_may_be_called() -> None:
    for model in ("", "gemini-2.5-pro", "any"):
        require(User("abc", "ann"), model)
