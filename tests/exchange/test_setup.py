"""The model in the first message of a Live session."""

import pytest

from gemproxy.exchange.setup import model_of_setup


@pytest.mark.parametrize(
    ("message", "model"),
    [
        (b'{"setup": {"model": "models/m-live"}}', "m-live"),
        (b'{"setup": {"model": "m-live", "tools": [{}]}}', "m-live"),
        (b'{"setup": {"model": "publishers/google/models/m"}}', "m"),
        (b'{"setup": {}}', ""),
        (b'{"setup": {"model": 7}}', ""),
        (b'{"setup": []}', ""),
        (b'{"setup": null}', ""),
        (b'{"client_content": {}}', ""),
        (b"[]", ""),
        (b"\xff", ""),
        (b"", ""),
        (b"[" * 100_000, ""),
    ],
)
def test_a_setup_names_its_model(message: bytes, model: str) -> None:
    assert model_of_setup(message) == model
