#!/usr/bin/env bash
# google-genai 3.4.0 and openai 3.52.0 (PyPI): a stream that ends politely in the middle of an answer.
#
# The server answers with two events and then ends the body as HTTP wants it, as a gateway does
# whose own upstream was lost. No event has a finishReason (finish_reason); the OpenAI stream has no
# "[DONE]". Both SDKs yield the two chunks and end without an error, so a program that does not
# look at the last finishReason takes half an answer for a whole one.
#
# Seen on 2026-11-28:
#   google-genai 3.4.0: half an ans, no error, finishReason None
#   openai 3.52.0: half an ans, no error, finish_reason None
# The script fails when that changes.
#
# Usage: findings/sdks-take-a-missing-ending-for-an-end.sh   (needs Python 3.11 or later)
set -euo pipefail
script=$(realpath "$0")
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
cd "$made"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check google-genai==3.4.0 openai==3.52.0 2> /dev/null
cat > try.py <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google import genai
import openai
from openai import OpenAI

GEMINI = [{"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}]}
          for text in ("half an", " ans")]
CHAT = [{"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "any",
         "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
        for text in ("half an", " ans")]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        events = CHAT if "chat" in self.path else GEMINI
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            data = b"data: " + json.dumps(event).encode() + b"\n\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_address[1]}"

client = genai.Client(api_key="none", http_options={"base_url": base})
chunks = list(client.models.generate_content_stream(model="any", contents="Hello"))
text = "".join(chunk.text for chunk in chunks)
reason = chunks[-1].candidates[0].finish_reason
print(f"google-genai {genai.__version__}: {text}, no error, finishReason {reason}")

chat = OpenAI(api_key="none", base_url=f"{base}/v1", max_retries=0)
messages = [{"role": "user", "content": "Hello"}]
chunks = list(chat.chat.completions.create(model="any", messages=messages, stream=True))
text = "".join(chunk.choices[0].delta.content for chunk in chunks)

print(f"openai {openai.__version__}: {text}, no error, "
      f"finish_reason {chunks[-1].choices[0].finish_reason}")
PY
venv/bin/python try.py | tee seen
diff <(sed -n 's/^#   \(google-genai\|openai\)/\1/p' "$script") seen
