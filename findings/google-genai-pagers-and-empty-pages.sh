#!/usr/bin/env bash
# google-genai 3.4.0 (PyPI) and @google/genai 2.32.0 (npm): lists with a page that has no entries.
#
# A page of a list may be empty although more pages follow, and so may the last one (AIP-158:
# https://google.aip.dev/158). The server gives the files a and b, and an empty page in one place.
# Python's pager raises IndexError in the middle of the loop, so the files behind it are lost.
# JavaScript's yields undefined in their place. Both read on behind an empty first page. A proxy
# that filters or merges lists has to fill its pages, and must not end a list with an empty one.
#
# Seen on 2026-11-28:
#   python, empty last page:    a | IndexError: list index out of range
#   python, empty page between: a | IndexError: list index out of range
#   python, empty first page:   a, b | end
#   js, empty last page:    a, undefined | end
#   js, empty page between: a, undefined, b | end
#   js, empty first page:   a, b | end
# The script fails when that changes.
#
# Usage: findings/google-genai-pagers-and-empty-pages.sh   (needs Python 3.11, npm and Node 20)
set -euo pipefail
script=$(realpath "$0")
made=$(mktemp -d)
trap 'kill %1 2> /dev/null || true; rm -rf "$made"' EXIT
cd "$made"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check google-genai==3.4.0
npm init -y > /dev/null
npm install --silent --no-audit --no-fund @google/genai@2.32.0
cat > server.py <<'PY'
import http.server
import json
import urllib.parse

PAGES = {"last": [["a"], []], "between": [["a"], [], ["b"]], "first": [[], ["a"], ["b"]]}


class Lists(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        pages = PAGES[url.path.split("/")[1]]
        at = int(urllib.parse.parse_qs(url.query).get("pageToken", ["0"])[0])
        page = {"files": [{"name": f"files/{name}"} for name in pages[at]]}
        if at + 1 < len(pages):
            page["nextPageToken"] = str(at + 1)
        body = json.dumps(page).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lists)
with open("port", "w") as file:
    file.write(str(server.server_port))
server.serve_forever()
PY
cat > try.py <<'PY'
import sys

from google import genai

for place, title in (
    ("last", "empty last page:   "),
    ("between", "empty page between:"),
    ("first", "empty first page:  "),
):
    base = f"http://127.0.0.1:{sys.argv[1]}/{place}"
    client = genai.Client(api_key="none", http_options={"base_url": base})
    seen, end = [], "end"
    try:
        for file in client.files.list(config={"page_size": 1}):
            seen.append(file.name.removeprefix("files/"))
    except Exception as error:
        end = f"{type(error).__name__}: {error}"
    print(f"python, {title} {', '.join(seen) or 'nothing'} | {end}")
PY
cat > try.mjs <<'JS'
import { GoogleGenAI } from "@google/genai";

const places = {
  last: "empty last page:   ",
  between: "empty page between:",
  first: "empty first page:  ",
};
for (const [place, title] of Object.entries(places)) {
  const httpOptions = { baseUrl: `http://127.0.0.1:${process.argv[2]}/${place}` };
  const ai = new GoogleGenAI({ apiKey: "none", httpOptions });
  const seen = [];
  let end = "end";
  try {
    for await (const file of await ai.files.list({ config: { pageSize: 1 } })) {
      seen.push(file?.name?.replace("files/", "") ?? String(file));
    }
  } catch (error) {
    end = `${error.name}: ${error.message}`;
  }
  console.log(`js, ${title} ${seen.join(", ") || "nothing"} | ${end}`);
}
JS
python3 server.py &
until [ -s port ]; do sleep 0.1; done
{ venv/bin/python try.py "$(cat port)"; node try.mjs "$(cat port)"; } 2> /dev/null | tee seen
diff <(sed -n 's/^#   \(python\|js\)/\1/p' "$script") seen
