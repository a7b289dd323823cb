"""These tests run on both event loops and with both readers of answers.

No proxy of theirs may keep what a test made it take.
"""

from tests.reading import pytest_asyncio_loop_factories, read_as_named
from tests.resting import proxy

__all__ = ["proxy", "pytest_asyncio_loop_factories", "read_as_named"]
