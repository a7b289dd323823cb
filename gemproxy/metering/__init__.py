"""The I/O around accounts: from the admission of a request to its row in the ledger."""
