"""The command ``gemproxy users``: access keys and what they may use."""
