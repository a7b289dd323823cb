// Drives @ai-sdk/openai-compatible (with ai) as an application would, and prints what it saw.
//
// Arguments and output are those of openai.mjs. The SDK loops through the tools by itself.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embed, generateImage, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import { play, raised, used } from "./playing.mjs";

const [baseURL, told] = process.argv.slice(2);
const { key, model: name, embedding, drawing, jpeg, prompts, functions, pictured, boat } = JSON.parse(told);
const provider = createOpenAICompatible({
  name: "gemproxy",
  apiKey: key,
  baseURL,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const model = provider(name);
const maxRetries = 0;
const counted = ({ inputTokens, outputTokens, totalTokens }) => [inputTokens, outputTokens, totalTokens];

async function said(prompt) {
  const { text, finishReason: finish, usage, reasoningText: thoughts } = await generateText({ model, prompt, maxRetries });
  return { text, finish, usage: counted(usage), thoughts };
}

async function streamed(prompt) {
  let text = "";
  let failed = null;
  const onError = ({ error }) => (failed ??= error);
  const stream = streamText({ model, prompt, maxRetries, onError });
  try {
    for await (const piece of stream.textStream) text += piece;
  } catch (error) {
    failed ??= error; // the connection breaks off behind the error of the stream
  }
  if (failed) return raised(failed, text);
  const { finishReason: finish, usage, reasoningText: thoughts } = stream;
  return { text, finish: await finish, usage: counted(await usage), thoughts: await thoughts };
}

const tools = Object.fromEntries(
  functions.map(({ function: { name, description, parameters } }) => [
    name,
    tool({ description, inputSchema: jsonSchema(parameters), execute: (args) => used(name, args) }),
  ]),
);
const looping = { model, prompt: prompts.tools, tools, stopWhen: stepCountIs(5), maxRetries };
const called = (steps) =>
  steps.map(({ toolCalls }) => toolCalls.map(({ toolName, input }) => [toolName, input])).filter(({ length }) => length);

async function looped() {
  const { text, finishReason: finish, steps } = await generateText(looping);
  return { text, finish, steps: called(steps) };
}

async function loopedStream() {
  const stream = streamText({ ...looping, onError() {} });
  await stream.consumeStream();
  return { text: await stream.text, finish: await stream.finishReason, steps: called(await stream.steps) };
}

async function schema() {
  const output = Output.object({ schema: jsonSchema(boat) });
  return (await generateText({ model, prompt: prompts.schema, output, maxRetries })).output;
}

async function picture() {
  const [{ text }, { image_url: { url } }] = pictured;
  const content = [{ type: "text", text }, { type: "image", image: url }];
  return (await generateText({ model, messages: [{ role: "user", content }], maxRetries })).text;
}

const drawer = provider.imageModel(drawing);
const drawn = async (prompt) => (await generateImage({ model: drawer, prompt, maxRetries })).image.base64;

await play({
  text: () => said(prompts.text),
  stream: () => streamed(prompts.text),
  tools: looped,
  "tools, streamed": loopedStream,
  picture,
  "JSON schema": schema,
  blocked: () => said(prompts.blocked),
  error: () => said(prompts.refused),
  cut: () => streamed(prompts.cut),
  "cut, resumed": () => streamed(prompts.repaired),
  embeddings: async () =>
    (await embed({ model: provider.embeddingModel(embedding), value: prompts.embedded, maxRetries })).embedding,
  image: () => drawn(prompts.drawn),
  "image edit": () => drawn({ text: prompts.redrawn, images: [Buffer.from(jpeg, "base64")] }),
});
