"""What frames say, and how they are written again."""
