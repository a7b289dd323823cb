"""The command that finds what is wrong with an installation, and explains it.

It changes nothing: databases are read as they are (``store.peeking``, ``ledger.peeking``), and no
directory is made. It asks the network only as ``gemproxy keys check`` and a client of the proxy
would, and sends a key to nobody but the upstream.
"""
