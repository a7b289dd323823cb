#!/usr/bin/env bash
# obstore 0.12.1 (PyPI): variables of the environment win over, and mix with, what S3Store is given.
#
# A store is made with an endpoint, a key and a secret; nothing is left to be found. With
# AWS_SESSION_TOKEN set for another program, requests carry that token beside the given key, so a
# provider refuses them. With AWS_ENDPOINT_URL_S3 set, requests go to that endpoint and not to the
# given one. The repr and ``config`` of the store show neither.
#
# Seen on 2026-11-29:
#   nothing set: the given endpoint, without a token
#   AWS_SESSION_TOKEN: the given endpoint, with the token of the environment
#   AWS_ENDPOINT_URL_S3: the endpoint of the environment, without a token
# The script fails when that changes.
#
# Usage: findings/obstore-environment-over-arguments.sh   (needs Python 3.11)
set -euo pipefail
script=$(realpath "$0")
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
cd "$made"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check obstore==0.12.1
cat > arguments.py <<'PY'
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import obstore
from obstore.store import S3Store

seen = []


def serve(name):
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((name, self.headers.get("x-amz-security-token")))
            self.send_response(200)
            self.send_header("ETag", '"x"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


GIVEN, OTHER = serve("the given endpoint"), serve("the endpoint of the environment")
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]


def put(**variables):
    os.environ.update(variables)
    config = {
        "endpoint": GIVEN,
        "region": "r",
        "access_key_id": "key",
        "secret_access_key": "secret",
    }
    store = S3Store("bucket", config=config, client_options={"allow_http": True})
    for variable in variables:
        del os.environ[variable]
    obstore.put(store, "name", b"x")
    where, token = seen.pop()
    said = "without a token" if token is None else f"with the token of {token}"
    print(f"{', '.join(variables) or 'nothing set'}: {where}, {said}")


put()
put(AWS_SESSION_TOKEN="the environment")
put(AWS_ENDPOINT_URL_S3=OTHER)
PY
venv/bin/python arguments.py | tee seen
diff <(sed -n 's/^#   //p' "$script") seen && echo "as before"
