"""The application, its server, and what stands around every handler."""
