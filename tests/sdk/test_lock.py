"""The lock of the environment that langchain-google-genai has of its own."""

from importlib.metadata import distributions
from pathlib import Path

from tests.pins import pins, unpinned
from tests.sdk.node import HERE


def test_what_its_packages_ask_for_is_pinned_with_the_same_extras(langchain: str) -> None:
    (packages,) = Path(langchain).parent.parent.glob("lib/python*/site-packages")
    pinned = pins((HERE / "langchain.txt").read_text())

    assert unpinned(pinned, distributions(path=[str(packages)])) == []
