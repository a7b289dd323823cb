"""The command ``gemproxy keys``: the operator's keys, kept in the data directory.

A key is read from standard input or a file, never from an argument, and only ``export`` prints one:
all other output names keys by their fingerprints. A proxy that runs on the same data directory
takes every change in within a second.
"""
