"""The log, for the operator."""
