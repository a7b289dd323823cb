"""The proxy as a service of a machine: in the background, found by a file, stopped by a command."""
