"""The heart: bytes and events in, bytes and decisions out.

This package does no I/O, reads no clock, draws no random numbers and does not log. Events of
the outside world are its inputs; the actions that should follow are its outputs.
"""
