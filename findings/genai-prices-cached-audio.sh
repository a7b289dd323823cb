#!/usr/bin/env bash
# genai-prices 0.2.3 (PyPI): the price of an answer that Gemini gives for cached audio.
#
# Gemini's usageMetadata may have AUDIO in promptTokensDetails and a cachedContentTokenCount, without
# cacheTokensDetails, or with details of TEXT alone: kinds with no tokens are left out. For a model
# with a price for audio the price of such an answer is a ValueError; there is one if the details have
# AUDIO too. A known model with the prefix that Gemini's own names have, models/, is a LookupError.
#
# Seen on 2026-11-28:
#   audio, cache without details: ValueError
#   audio, cache of text alone: ValueError
#   audio, cache of both: 0.000714
#   models/gemini-2.5-flash: LookupError
#   gemini-2.5-flash: 0.000550
# The script fails when that changes.
#
# Usage: findings/genai-prices-cached-audio.sh   (needs Python 3.11)
set -euo pipefail
script=$(realpath "$0")
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
cd "$made"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check genai-prices==0.2.3
cat > prices.py <<'PY'
from genai_prices import Usage, calc_price, extract_usage

MODEL = "gemini-2.5-flash"


def answer(details):
    usage = {
        "promptTokenCount": 1000,
        "candidatesTokenCount": 150,
        "totalTokenCount": 1150,
        "cachedContentTokenCount": 400,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 700},
            {"modality": "AUDIO", "tokenCount": 300},
        ],
    }
    if details:
        usage["cacheTokensDetails"] = [
            {"modality": kind, "tokenCount": count} for kind, count in details.items()
        ]
    return {"modelVersion": MODEL, "usageMetadata": usage}


def price(said, name, usage):
    try:
        print(f"{said}: {calc_price(usage(), name, provider_id='google').total_price:.6f}")
    except (ValueError, LookupError) as error:
        print(f"{said}: {type(error).__name__}")


def extracted(details):
    return lambda: extract_usage(answer(details), provider_id="google").usage


price("audio, cache without details", MODEL, extracted({}))
price("audio, cache of text alone", MODEL, extracted({"TEXT": 400}))
price("audio, cache of both", MODEL, extracted({"TEXT": 300, "AUDIO": 100}))
plain = lambda: Usage(input_tokens=1000, output_tokens=100)
price(f"models/{MODEL}", f"models/{MODEL}", plain)
price(MODEL, MODEL, plain)
PY
venv/bin/python prices.py | tee seen
diff <(sed -n 's/^#   //p' "$script") seen && echo "as before"
