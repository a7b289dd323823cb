"""One answer, made of attempts, and the reader that it goes to."""
