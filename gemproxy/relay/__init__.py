"""The I/O around the heart: the way up and its replies, the client's connection, time and pace."""
