"""What one kind of client hears.

The core decides which frames go out. A voice turns them into the bytes of one client's stream: it
frames what is of our own making, and passes all else as it came.
"""
