"""One module for each version of the schema; a new one is added, and none is changed."""
