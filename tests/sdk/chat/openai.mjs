// Drives the stock openai package (Node) as an application would, and prints what it saw.
//
// Two arguments: the base URL, and what playing.py holds for all clients, as JSON. One JSON line on
// stdout, feature -> what the application saw; an error is {text, raised, message, status}.

import OpenAI, { toFile } from "openai";
import { play, raised, used } from "./playing.mjs";

const [baseURL, told] = process.argv.slice(2);
const { key, model, embedding, drawing, jpeg, prompts, functions, pictured, boat } = JSON.parse(told);
const client = new OpenAI({ apiKey: key, baseURL, maxRetries: 0 });
const asked = (content) => [{ role: "user", content }];
const counted = ({ prompt_tokens, completion_tokens, total_tokens }) => [
  prompt_tokens,
  completion_tokens,
  total_tokens,
];
const create = (messages, more = {}) => client.chat.completions.create({ model, messages, ...more });

async function said(messages, more) {
  const { choices, usage } = await create(messages, more);
  const [{ message, finish_reason: finish }] = choices;
  const { content: text, reasoning_content: thoughts } = message;
  return { text: text ?? "", finish, usage: counted(usage), thoughts, message };
}

async function streamed(prompt) {
  let text = "";
  let thoughts = "";
  const finish = [];
  let usage = null;
  try {
    const more = { stream: true, stream_options: { include_usage: true } };
    for await (const chunk of await create(asked(prompt), more)) {
      usage = chunk.usage ?? usage;
      for (const { delta, finish_reason } of chunk.choices) {
        text += delta.content ?? "";
        thoughts += delta.reasoning_content ?? "";
        if (finish_reason) finish.push(finish_reason);
      }
    }
  } catch (error) {
    return raised(error, text);
  }
  return { text, finish: finish.join(), usage: usage && counted(usage), thoughts };
}

// The package's own helper joins the pieces of a stream; it wants each call whole.
async function tools(ask) {
  const messages = asked(prompts.tools);
  const steps = [];
  for (;;) {
    const { message, finish } = await ask(messages);
    const calls = message.tool_calls ?? [];
    if (!calls.length) return { steps, text: message.content, finish };
    messages.push(message);
    steps.push(calls.map(({ function: { name, arguments: args } }) => [name, args]));
    for (const { id, function: { name, arguments: args } } of calls) {
      messages.push({ role: "tool", tool_call_id: id, content: used(name, JSON.parse(args)) });
    }
  }
}

async function helped(messages) {
  const stream = client.chat.completions.stream({ model, messages, tools: functions });
  const { choices } = await stream.finalChatCompletion();
  return { message: choices[0].message, finish: choices[0].finish_reason };
}

async function edited() {
  const image = await toFile(Buffer.from(jpeg, "base64"), "x.png", { type: "image/png" });
  return (await client.images.edit({ model: drawing, prompt: prompts.redrawn, image })).data[0].b64_json;
}

async function drawnEvents() {
  const types = [];
  let last = null;
  const stream = await client.images.generate({ model: drawing, prompt: prompts.drawn, stream: true });
  for await (const event of stream) {
    types.push(event.type);
    last = event;
  }
  return [types, last.b64_json, last.usage.total_tokens];
}

const form = { type: "json_schema", json_schema: { name: "boat", strict: true, schema: boat } };
await play({
  text: () => said(asked(prompts.text)),
  stream: () => streamed(prompts.text),
  tools: () => tools((messages) => said(messages, { tools: functions })),
  "tools, streamed": () => tools(helped),
  picture: async () => (await said(asked(pictured))).text,
  "JSON schema": async () => JSON.parse((await said(asked(prompts.schema), { response_format: form })).text),
  blocked: () => said(asked(prompts.blocked)),
  error: () => said(asked(prompts.refused)),
  cut: () => streamed(prompts.cut),
  "cut, resumed": () => streamed(prompts.repaired),
  embeddings: async () =>
    (await client.embeddings.create({ model: embedding, input: prompts.embedded })).data[0].embedding,
  models: async () => {
    const ids = [];
    for await (const { id } of client.models.list()) ids.push(id);
    return ids;
  },
  image: async () => (await client.images.generate({ model: drawing, prompt: prompts.drawn })).data[0].b64_json,
  "image edit": edited,
  "image, streamed": drawnEvents,
});
