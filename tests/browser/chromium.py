"""Where Chromium is, and how the tests get it: Debian's package, with apt-get, as root.

Run as a program, this installs what is missing. It uses nothing but the standard library, so it
runs before there is an environment.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
PACKAGES = ("chromium", "fonts-noto-cjk")
"""Debian's packages; without the fonts Chinese is drawn as boxes."""

MISSING = "there is no Chromium, and no way to install it: the pages were NOT tried in a browser"


def find() -> str | None:
    """Return the path of a Chromium, None if this machine has none."""
    return next((path for path in map(shutil.which, NAMES) if path is not None), None)


def provide() -> str | None:
    """Return the path of a Chromium, installed if that is possible; one process at a time."""
    with Path(tempfile.gettempdir(), "gemproxy-chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return find() or _installed()


def _installed() -> str | None:
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return None
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ("install", "--yes", "--quiet", "--no-install-recommends", *PACKAGES)
    for command in (("update", "--quiet"), install):
        done = subprocess.run(
            [apt, *command], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(done.stderr, file=sys.stderr)
    return find()


if __name__ == "__main__":
    print(provide() or MISSING)
