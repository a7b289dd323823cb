"""Fixtures of the ledger: its commands run on both databases."""

from tests.ledger.conftest import engines, place, postgres, pytest_asyncio_loop_factories

__all__ = ["engines", "place", "postgres", "pytest_asyncio_loop_factories"]
