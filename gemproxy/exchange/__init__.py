"""One client request as all rooms behind the routes see it, and the record of its outcome."""
