"""The command ``gemproxy users``: makes, lists, rotates and revokes access keys."""
