"""These tests run on both event loops, and no proxy of theirs may keep what a test made it take."""

from tests.loops import pytest_asyncio_loop_factories
from tests.resting import proxy

__all__ = ["proxy", "pytest_asyncio_loop_factories"]
