"""Pictures that a request names by URL: which addresses may be asked, and asking them."""
