"""Settings, their sources, TLS, and the proxy on the way out."""
