// The client of the playground: it asks the proxy's own route, shows the answer as it comes, and
// marks where it was cut and joined, as the server says. All text is set as text.
"use strict";

const at = (id) => document.getElementById(id);
const form = at("play");
const EDGE = 24; // characters shown on each side of a cut

let run = null;

class Run {
  constructor(id) {
    this.id = id;
    this.text = []; // code points, as the server counts them
    this.thoughts = "";
    this.events = 0;
    this.ids = new Set();
    this.cuts = [];
    this.silence = 0;
    this.heard = performance.now();
    this.abort = new AbortController();
    this.ended = false;
    this.over = false;
  }

  // The server says nothing more of a request that is over.
  settle() {
    if (this.ended && this.over) this.quiet();
  }

  take(document_) {
    const now = performance.now();
    this.silence = Math.max(this.silence, now - this.heard);
    this.heard = now;
    this.events += 1;
    if (document_.error) throw new Error(document_.error.message || form.dataset.failed);
    if (document_.responseId) this.ids.add(document_.responseId);
    if (document_.usageMetadata) this.usage = document_.usageMetadata;
    const candidate = (document_.candidates || [])[0] || {};
    if (candidate.finishReason) this.finish = candidate.finishReason;
    for (const part of candidate.content?.parts || []) {
      if (part.thought) this.thoughts += part.text || "";
      else if (part.text) this.text.push(...part.text);
      else if (part.functionCall) this.text.push(...JSON.stringify(part.functionCall, null, 2));
    }
  }
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// The pieces of the answer, one for each attempt, with a mark between two.
function drawAnswer() {
  const place = at("answer-text");
  const bounds = [0, ...run.cuts.map((cut) => Math.min(cut.at, run.text.length)), Infinity];
  const nodes = [];
  for (let piece = 0; piece + 1 < bounds.length; piece++) {
    const points = run.text.slice(bounds[piece], bounds[piece + 1]);
    const node = element("span", piece % 2 ? "piece other" : "piece");
    const head = piece > 0 ? Math.min(EDGE, points.length) : 0;
    const tail = piece + 2 < bounds.length ? Math.min(EDGE, points.length - head) : 0;
    if (head) node.append(element("span", "edge", points.slice(0, head).join("")));
    node.append(points.slice(head, points.length - tail).join(""));
    if (tail) node.append(element("span", "edge", points.slice(points.length - tail).join("")));
    if (piece > 0) nodes.push(element("span", "seam", `✂ ${form.dataset.cut} ${piece}`));
    nodes.push(node);
  }
  const follows = place.scrollTop + place.clientHeight >= place.scrollHeight - 4;
  place.replaceChildren(...nodes);
  if (follows) place.scrollTop = place.scrollHeight;
}

function drawCuts() {
  at("no-cuts").hidden = run.cuts.length > 0;
  at("repaired").textContent = run.cuts.filter((cut) => run.text.length > cut.at).length;
  at("cuts-told").replaceChildren(
    ...run.cuts.map((cut) => {
      const item = element("li");
      item.append(...cut.words.map((words) => element("p", "", words)));
      const around = element("p");
      around.append(
        element("code", "", run.text.slice(Math.max(cut.at - EDGE, 0), cut.at).join("")),
        element("span", "seam", " ✂ "),
        element("code", "", run.text.slice(cut.at, cut.at + EDGE).join("")),
      );
      item.append(around);
      return item;
    }),
  );
}

let drawing = false;
function draw() {
  // At most once for each picture of the screen, however fast the events come.
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawAnswer();
    drawCuts();
    at("characters").textContent = run.text.length.toLocaleString("en");
    at("events").textContent = run.events;
    at("silence").textContent = `${Math.round(run.silence)} ms`;
    at("thoughts").hidden = !run.thoughts;
    at("thought-text").textContent = run.thoughts;
    at("finish").textContent = run.finish || "–";
    at("response-ids").textContent = run.ids.size || "–";
    const usage = run.usage;
    at("usage").textContent = usage
      ? [usage.promptTokenCount, usage.candidatesTokenCount, usage.thoughtsTokenCount, usage.totalTokenCount]
          .map((count) => count ?? 0)
          .join(", ")
      : "–";
  });
}

function say(words, bad) {
  const place = at("run-state");
  if (place.textContent !== words) place.textContent = words;
  place.classList.toggle("bad", Boolean(bad));
}

function hear(news) {
  if (news.error || !news.cuts) return;
  run.cuts = news.cuts;
  if (!run.ended && form.dataset[news.state]) say(form.dataset[news.state]);
  for (const [name, value] of Object.entries(news.facts || {}))
    for (const node of document.querySelectorAll(`[data-fact="${CSS.escape(name)}"]`)) node.textContent = value;
  draw();
}

// What only the server knows, as long as there may be more of it.
function listen(one) {
  const source = new EventSource(`playground/${encodeURIComponent(one.id)}`);
  one.quiet = () => source.close();
  source.onmessage = (event) => {
    const news = JSON.parse(event.data);
    if (run === one) hear(news);
    one.over = news.over;
    one.settle();
  };
}

function wishes() {
  const asked = new URLSearchParams();
  asked.append("answer", at("answer").value);
  asked.append("behaviour", at("behaviour").value);
  asked.append("pause", at("pause").value || "0");
  for (const cut of at("cuts").value.split(/\s+/)) if (cut) asked.append("cut", cut);
  return asked.toString();
}

function asked(one) {
  const headers = { "Content-Type": "application/json", "x-goog-api-key": at("key").value.trim() || "playground" };
  headers["X-Request-Id"] = one.id;
  if (isFake()) headers[form.dataset.header] = wishes();
  const body = { contents: [{ role: "user", parts: [{ text: at("prompt").value }] }] };
  return { method: "POST", headers, body: JSON.stringify(body), signal: one.abort.signal };
}

const isFake = () => form.elements.upstream.value === "fake";

async function follow(one) {
  const model = encodeURIComponent(at("model").value.trim());
  const response = await fetch(`../v1beta/models/${model}:streamGenerateContent?alt=sse`, asked(one));
  if (!response.ok) throw new Error(await refusal(response));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split(/\r?\n\r?\n/);
    rest = events.pop();
    for (const event of events) {
      const data = event.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5));
      if (data.length) one.take(JSON.parse(data.join("\n")));
    }
    if (run === one) draw();
  }
}

async function refusal(response) {
  const body = await response.text();
  try {
    return `${response.status}: ${JSON.parse(body).error.message}`;
  } catch {
    return `${response.status} ${response.statusText}`;
  }
}

function buttons(running) {
  at("start").disabled = running;
  at("cut").disabled = at("abort").disabled = !running;
}

async function start() {
  if (run?.quiet) run.quiet();
  const random = crypto.getRandomValues(new Uint8Array(8));
  const one = (run = new Run(`playground-${[...random].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`));
  at("run").hidden = false;
  at("request-id").textContent = one.id;
  at("story").href = `requests/${encodeURIComponent(one.id)}`;
  for (const node of document.querySelectorAll("[data-fact]")) node.textContent = "–";
  buttons(true);
  say(form.dataset.connecting);
  draw();
  listen(one);
  try {
    await follow(one);
    say(form.dataset.done);
  } catch (error) {
    if (run === one) say(one.abort.signal.aborted ? form.dataset.aborted : `${form.dataset.failed}: ${error.message}`, true);
  } finally {
    one.ended = true;
    one.settle();
    if (run === one) buttons(false);
  }
}

async function cut() {
  const answer = await fetch(`playground/${encodeURIComponent(run.id)}/cut`, {
    method: "POST",
    body: new URLSearchParams({ form_token: form.elements.form_token.value }),
    redirect: "manual",
  });
  if (answer.type !== "opaqueredirect" && !answer.ok) say(await refusal(answer), true);
}

function choose() {
  const fake = isFake();
  at("fake").disabled = !fake;
  if (fake) at("model").value = form.dataset.fakeModel;
  else if (at("model").value === form.dataset.fakeModel) at("model").value = document.querySelector("#models option")?.value || "";
}

form.hidden = false;
form.addEventListener("change", (event) => event.target.name === "upstream" && choose());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
at("cut").addEventListener("click", cut);
at("abort").addEventListener("click", () => run.abort.abort());
addEventListener("pagehide", () => run?.quiet?.());
