// Keeps an open page up to date. The server sends what has changed, as JSON:
//
//   texts   {name: text}          for [data-live=name]
//   states  {name: word}          data-state of [data-state-of=name], for the style sheet
//   amounts {name: number}        value of a <meter> or <progress> with [data-amount=name]
//   lists   {name: [{id, texts, states, amounts, links, actions, values}]}
//           for [data-list=name], whose <template> is a row; names are those of data-field,
//           data-field-state, data-field-amount, data-field-link, data-field-action and
//           data-field-value (of an input) within the row
//   error   a sentence
//
// All text is set as text. Rows keep their nodes, so focus and selection stay.
"use strict";

const set = (root, attribute, values, put) => {
  for (const [name, value] of Object.entries(values || {}))
    for (const node of root.querySelectorAll(`[${attribute}="${CSS.escape(name)}"]`)) put(node, value);
};
const text = (node, value) => {
  if (node.textContent !== value) node.textContent = value;
};
const state = (node, value) => {
  if (node.dataset.state !== value) node.dataset.state = value;
};
const amount = (node, value) => {
  if (node.value !== value) node.value = value;
};
// Links come from the server as paths of its own pages, and nothing else is followed.
const isOwn = (value) => new URL(value, location.href).origin === location.origin;
const href = (node, value) => {
  if (isOwn(value)) node.setAttribute("href", value);
};
const action = (node, value) => {
  if (isOwn(value)) node.setAttribute(node.tagName === "FORM" ? "action" : "formaction", value);
};

function fillRow(row, item) {
  set(row, "data-field", item.texts, text);
  set(row, "data-field-state", item.states, state);
  set(row, "data-field-amount", item.amounts, amount);
  set(row, "data-field-link", item.links, href);
  set(row, "data-field-action", item.actions, action);
  set(row, "data-field-value", item.values, amount);
}

function fillList(list, items) {
  const template = list.querySelector(":scope > template");
  const known = new Map([...list.querySelectorAll(":scope > [data-row]")].map((row) => [row.dataset.row, row]));
  let before = template;
  for (const item of items) {
    let row = known.get(item.id);
    known.delete(item.id);
    if (!row) {
      row = template.content.firstElementChild.cloneNode(true);
      row.dataset.row = item.id;
    }
    fillRow(row, item);
    if (before.nextElementSibling !== row) before.after(row);
    before = row;
  }
  for (const row of known.values()) row.remove();
  for (const empty of document.querySelectorAll(`[data-empty="${CSS.escape(list.dataset.list)}"]`))
    empty.hidden = items.length > 0;
}

function fill(news) {
  set(document, "data-live", news.texts, text);
  set(document, "data-state-of", news.states, state);
  set(document, "data-amount", news.amounts, amount);
  for (const [name, items] of Object.entries(news.lists || {}))
    for (const list of document.querySelectorAll(`[data-list="${CSS.escape(name)}"]`)) fillList(list, items);
  complain(news.error || "");
  document.dispatchEvent(new CustomEvent("gemproxy:news", { detail: news }));
}

function complain(words) {
  const place = document.getElementById("live-error");
  text(place, words);
  place.hidden = !words;
}

function follow() {
  // A page in the background is not kept up to date; it asks again when it is looked at.
  let source = null;
  const open = () => {
    if (source) return;
    source = new EventSource(location.href);
    source.onmessage = (event) => fill(JSON.parse(event.data));
    source.onerror = () => complain(document.body.dataset.lost);
    source.onopen = () => complain("");
  };
  const close = () => {
    if (source) source.close();
    source = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", () => document.hidden || open());
  if (!document.hidden) open();
}

// A form that cannot be undone asks once more.
document.addEventListener("submit", (event) => {
  const words = event.submitter?.dataset.sure || event.target.dataset.sure;
  if (words && !confirm(words)) event.preventDefault();
});

if ("livePage" in document.body.dataset) follow();
