"""The command ``gemproxy keys``: the operator's keys, kept in the data directory."""
