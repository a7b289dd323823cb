"""What was used, by whom, and what it cost, in SQL; and the users with their access keys."""
