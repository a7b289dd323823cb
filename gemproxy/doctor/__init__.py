"""The command that finds what is wrong with an installation, and explains it."""
