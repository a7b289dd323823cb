"""The heart: bytes and events in, bytes and decisions out.

Nothing here does I/O, reads a clock, draws a random number or logs. What the
world does is told to it as an input; what should happen is answered as an action.
"""
