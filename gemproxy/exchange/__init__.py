"""One request as the inside sees it, and the record of what became of it."""
