#!/usr/bin/env bash
# obstore 0.12.1 (PyPI): a process that used its coroutines now and then aborts at its end.
#
# A program awaits put_async twenty times on a store in memory and ends in order. Some of 300 such
# processes end with SIGABRT (exit code -6) after their last line, without a word on standard error:
# 9 of 150 on a busy machine with two cores. A thread of Rust's runtime lets go of Python objects when
# the interpreter is gone. Supervisors take that for a crash. The blocking put, called in a thread by
# asyncio.to_thread, never did it.
#
# Seen on 2026-11-29:
#   put_async: some of 300 aborted
#   put in a thread: none of 300 aborted
# The script fails when that changes.
#
# Usage: findings/obstore-coroutines-abort-at-exit.sh   (needs Python 3.11; takes a few minutes)
set -euo pipefail
script=$(realpath "$0")
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
cd "$made"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check obstore==0.12.1
cat > aborts.py <<'PY'
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

PROGRAM = """
import asyncio
import obstore
from obstore.store import MemoryStore

async def main():
    store = MemoryStore()
    for number in range(20):
        await {put}(store, str(number), bytes(100_000), use_multipart=False)

async def in_a_thread(*args, **kwargs):
    await asyncio.to_thread(obstore.put, *args, **kwargs)

asyncio.run(main())
"""
WAYS = {"put_async": "obstore.put_async", "put in a thread": "in_a_thread"}


def code(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True).returncode


for name, put in WAYS.items():
    with ThreadPoolExecutor(6) as threads:
        codes = list(threads.map(code, [PROGRAM.format(put=put)] * 300))
    assert set(codes) <= {0, -6}, codes
    print(f"{name}: {'some' if -6 in codes else 'none'} of 300 aborted")
PY
venv/bin/python aborts.py | tee seen
diff <(sed -n 's/^#   //p' "$script") seen && echo "as before"
