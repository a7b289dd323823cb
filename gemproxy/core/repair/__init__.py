"""Whether an answer is whole, and what is done when it is not."""
