"""The I/O around the heart: upstream attempts, the client's connection, the one loop."""
