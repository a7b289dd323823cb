"""The I/O around the pool: leases for the dispatcher, look-ups, checks of sick keys."""
