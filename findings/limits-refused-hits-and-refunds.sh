#!/usr/bin/env bash
# limits 5.8.0 (PyPI): what a refused hit takes, and what a negative cost gives back.
#
# A proxy that limits tokens hits with the cost of a request, and would like to give back what was not
# used. With a limit of 10 a minute, of which 7 are used, a hit of 5 is refused by all three
# strategies. FixedWindow counts it nevertheless: nothing is left, so requests that would fit are
# refused until the window ends. MovingWindow and SlidingWindowCounter leave 3. A hit of -5 gives 5
# back in FixedWindow and SlidingWindowCounter; MovingWindow says True and gives nothing back.
#
# Seen on 2026-11-28:
#   FixedWindow: hit of 5: False, left 0; hit of -5 at 8: True, left 7
#   MovingWindow: hit of 5: False, left 3; hit of -5 at 8: True, left 2
#   SlidingWindowCounter: hit of 5: False, left 3; hit of -5 at 8: True, left 7
# The script fails when that changes.
#
# Usage: findings/limits-refused-hits-and-refunds.sh   (needs Python 3.11)
set -euo pipefail
script=$(realpath "$0")
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
cd "$made"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check limits==5.8.0
cat > windows.py <<'PY'
from limits import RateLimitItemPerMinute, strategies
from limits.storage import MemoryStorage

LIMIT = RateLimitItemPerMinute(10)


def used(name, amount):
    limiter = getattr(strategies, f"{name}RateLimiter")(MemoryStorage())
    assert limiter.hit(LIMIT, "someone", cost=amount)
    return limiter


def left(limiter):
    return limiter.get_window_stats(LIMIT, "someone").remaining


for name in ("FixedWindow", "MovingWindow", "SlidingWindowCounter"):
    refused = used(name, 7)
    answer = refused.hit(LIMIT, "someone", cost=5)
    given_back = used(name, 8)
    back = given_back.hit(LIMIT, "someone", cost=-5)
    print(
        f"{name}: hit of 5: {answer}, left {left(refused)};"
        f" hit of -5 at 8: {back}, left {left(given_back)}"
    )
PY
venv/bin/python windows.py | tee seen
diff <(sed -n 's/^#   //p' "$script") seen && echo "as before"
