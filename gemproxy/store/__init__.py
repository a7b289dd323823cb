"""What outlives a restart, in the data directory: keys, rests, counts, homes, owners."""
