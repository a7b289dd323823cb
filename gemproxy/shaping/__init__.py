"""What models of a family take, and what the operator adds to requests: thinking, a prompt."""
