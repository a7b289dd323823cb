"""Runs gemproxy from a checkout: ``python run.py`` is ``gemproxy``, with the same arguments."""

import sys

from gemproxy.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
