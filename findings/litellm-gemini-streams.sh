#!/usr/bin/env bash
# litellm 1.110.2 (PyPI): streams of Gemini's that it translates for clients of OpenAI's dialect.
#
# FunctionCall.args is optional in Gemini's API, and Gemini leaves it out for a function without
# parameters. litellm's stream ends there with an exception about the key "args"; so does a whole answer.
#
# A finishReason is "stop" for it where there is none or where the model failed: a stream that ends
# politely in the middle of an answer, as behind a gateway that lost its upstream, and one that Gemini
# gave up with MALFORMED_FUNCTION_CALL. Nothing in the chunks tells these from a whole answer.
#
# Seen on 2026-11-29:
#   a call without args, streamed: MidStreamFallbackError
#   a call without args, whole: BadRequestError
#   a call with empty args: now {}, finish_reason tool_calls
#   half an answer: half an ans, finish_reason stop
#   MALFORMED_FUNCTION_CALL: nothing, finish_reason stop
# The script fails when that changes.
#
# Usage: findings/litellm-gemini-streams.sh   (needs Python 3.11; installs about 50 packages)
set -euo pipefail
script=$(realpath "$0")
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
cd "$made"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check litellm==1.110.2 2> /dev/null
cat > try.py <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import litellm


def frame(*parts, finish=None):
    candidate = {"content": {"role": "model", "parts": parts}}
    return {"candidates": [candidate | ({"finishReason": finish} if finish else {})]}


BARE = [frame({"functionCall": {"name": "now"}}, finish="STOP")]
SCENES = {
    "a call without args, streamed": BARE,
    "a call without args, whole": BARE,
    "a call with empty args": [frame({"functionCall": {"name": "now", "args": {}}}, finish="STOP")],
    "half an answer": [frame({"text": "half an"}), frame({"text": " ans"})],
    "MALFORMED_FUNCTION_CALL": [frame(finish="MALFORMED_FUNCTION_CALL")],
}
TOOLS = [{"type": "function", "function": {"name": "now", "description": "The time."}}]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        frames = SCENES[asked["contents"][0]["parts"][0]["text"]]
        stream = ":streamGenerateContent" in self.path
        events = "".join(f"data: {json.dumps(one)}\n\n" for one in frames)
        body = (events if stream else json.dumps(frames[-1])).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if stream else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def ask(scene):
    options = {
        "model": "gemini/gemini-3.5-flash",
        "api_base": f"http://127.0.0.1:{server.server_address[1]}/v1beta",
        "api_key": "none",
        "messages": [{"role": "user", "content": scene}],
        "tools": TOOLS,
        "max_retries": 0,
    }
    if scene.endswith("whole"):
        return litellm.completion(**options)
    seen, finish = "", None
    for chunk in litellm.completion(**options, stream=True):
        choice = chunk.choices[0]
        for call in choice.delta.tool_calls or []:
            seen += f"{call.function.name} {call.function.arguments}"
        seen += choice.delta.content or ""
        finish = choice.finish_reason or finish
    return f"{seen or 'nothing'}, finish_reason {finish}"


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
litellm.suppress_debug_info = True
for scene in SCENES:
    try:
        told = ask(scene)
    except Exception as error:
        told = type(error).__name__
    print(f"{scene}: {told}")
PY
LITELLM_LOCAL_MODEL_COST_MAP=True venv/bin/python try.py 2> errors | tee seen || { cat errors; exit 1; }
diff <(sed -n '/^# Seen/,/^# The/ s/^#   //p' "$script") seen
