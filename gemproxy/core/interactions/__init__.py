"""The same for Google's interactions."""
