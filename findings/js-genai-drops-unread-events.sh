#!/usr/bin/env bash
# @google/genai 2.32.0 (npm), Node 20: a stream whose connection breaks right behind its last event.
#
# The server sends two events, then a third, and closes the connection at once without the end of
# the chunked body (RFC 9112 section 7.1). All three have arrived at the client. A program that
# reads without a pause gets three chunks, then "terminated". One that takes 100 ms for each chunk
# gets two: fetch throws away what nobody has read, so an error event sent as the last words of a
# stream is lost. With half a second between the last event and the close it is read. A server
# should close such a connection only when the client has left, or after a short wait.
#
# Seen on 2026-11-28:
#   no pause, closed at once:    one, two, last words | terminated
#   pause 100, closed at once:   one, two | terminated
#   pause 100, closed after 500: one, two, last words | terminated
# The script fails when that changes.
#
# Usage: findings/js-genai-drops-unread-events.sh   (needs npm and Node 20 or later)
set -euo pipefail
script=$(realpath "$0")
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
cd "$made"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund @google/genai@2.32.0
cat > try.mjs <<'JS'
import { GoogleGenAI } from "@google/genai";
import http from "node:http";

const event = (text) => {
  const parts = [{ text }];
  return `data: ${JSON.stringify({ candidates: [{ content: { role: "model", parts } }] })}\r\n\r\n`;
};

async function read({ pause, linger }) {
  const server = http.createServer((request, response) => {
    request.resume();
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write(event("one"));
    response.write(event("two"));
    setTimeout(() => {
      response.write(event("last words"));
      setTimeout(() => request.socket.end(), linger);
    }, 50);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const httpOptions = { baseUrl: `http://127.0.0.1:${server.address().port}` };
  const ai = new GoogleGenAI({ apiKey: "none", httpOptions });
  const seen = [];
  let error = "none";
  try {
    const answer = await ai.models.generateContentStream({ model: "any", contents: "Hello" });
    for await (const chunk of answer) {
      seen.push(chunk.text);
      if (pause) await new Promise((done) => setTimeout(done, pause));
    }
  } catch (problem) {
    error = problem.message;
  }
  server.closeAllConnections();
  server.close();
  return `${seen.join(", ")} | ${error}`;
}

console.log("no pause, closed at once:   ", await read({ pause: 0, linger: 0 }));
console.log("pause 100, closed at once:  ", await read({ pause: 100, linger: 0 }));
console.log("pause 100, closed after 500:", await read({ pause: 100, linger: 500 }));
JS
node try.mjs 2> /dev/null | tee seen
diff <(sed -n 's/^#   \(no pause\|pause\)/\1/p' "$script") seen
