"""These tests run with both readers of answers."""

from tests.reading import read_by_either

__all__ = ["read_by_either"]
