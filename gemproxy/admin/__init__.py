"""The admin API: what an operator asks of a running proxy, and changes in it."""
