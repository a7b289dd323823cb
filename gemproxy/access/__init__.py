"""Who may call: the credentials of clients, and whose key goes up for them."""
