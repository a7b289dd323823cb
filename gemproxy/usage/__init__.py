"""The commands that read and keep the ledger: ``gemproxy usage`` and ``gemproxy db``."""
