// Drives the stock @ai-sdk/google as an application would, and prints what it saw.
//
// One argument, a JSON job: {baseUrl, model, prompt}. One JSON line on stdout:
//   {generated, streamed, finishReason, embedded} or {error}

import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { embed, generateText, streamText } from "ai";

const { baseUrl, model: name, prompt } = JSON.parse(process.argv[2]);
const google = createGoogleGenerativeAI({ apiKey: "test-key", baseURL: `${baseUrl}/v1beta` });
const model = google(name);
const maxRetries = 0;

try {
  const stream = streamText({ model, prompt, maxRetries, onError() {} });
  let streamed = "";
  for await (const text of stream.textStream) streamed += text;
  const finishReason = await stream.finishReason;
  const { text: generated } = await generateText({ model, prompt: `${prompt} `, maxRetries });
  const { embedding: embedded } = await embed({
    model: google.textEmbeddingModel(name),
    value: prompt,
    maxRetries,
  });
  console.log(JSON.stringify({ generated, streamed, finishReason, embedded }));
} catch (error) {
  console.log(JSON.stringify({ error: String(error) }));
}
