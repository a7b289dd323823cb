"""Tests of generations run on asyncio's own loop and on production's."""

from tests.loops import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]
