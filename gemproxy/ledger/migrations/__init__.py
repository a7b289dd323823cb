"""The versions of the schema, as Alembic runs them: ``env.py`` and a module for each version."""
