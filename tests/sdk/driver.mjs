// Drives the stock @google/genai SDK as an application would, and prints what it saw.
//
// One argument, a JSON job:
//   {baseUrl, apiKey, model, mode: "stream" | "chat" | "generate" | "files", prompts, config?,
//    headers?}
// In the mode "files" a prompt is the path of a file: it is uploaded, looked up, used in a prompt,
// downloaded to the same path with ".back" after it, and deleted.
// One JSON line on stdout for each response object the SDK yields:
//   {turn, text, finishReason, chunk}
// and a last line, {done: true, history, curated} or {error: {name, message, status}, history,
// curated}. The histories are the chat's own, and empty in the other modes. An error that the
// SDK raises is a result, so the exit status is 0; any other status is a fault of the job.

import { createPartFromUri, GoogleGenAI } from "@google/genai";

const print = (line) => console.log(JSON.stringify(line));

function show(turn, response) {
  const { sdkHttpResponse, ...chunk } = response;
  const finishReason = response.candidates?.[0]?.finishReason ?? null;
  print({ turn, text: response.text ?? "", finishReason, chunk });
}

const MODES = {
  async *generate({ ai, model, config }, prompt) {
    yield await ai.models.generateContent({ model, config, contents: prompt });
  },
  async *stream({ ai, model, config }, prompt) {
    yield* await ai.models.generateContentStream({ model, config, contents: prompt });
  },
  async *chat({ chat }, prompt) {
    yield* await chat.sendMessageStream({ message: prompt });
  },
  async *files({ ai, model, config }, path) {
    const file = await ai.files.upload({ file: path, config: { mimeType: "text/plain" } });
    yield file;
    yield await ai.files.get({ name: file.name });
    const part = createPartFromUri(file.uri, file.mimeType);
    yield await ai.models.generateContent({ model, config, contents: [part] });
    await ai.files.download({ file, downloadPath: `${path}.back` });
    await ai.files.delete({ name: file.name });
  },
};

function open({ baseUrl, apiKey, model, config = {}, headers = {} }) {
  const ai = new GoogleGenAI({ apiKey, vertexai: false, httpOptions: { baseUrl, headers } });
  return { ai, model, config, chat: ai.chats.create({ model, config }) };
}

async function play(session, answers, prompts) {
  for (const [turn, prompt] of prompts.entries()) {
    for await (const response of answers(session, prompt)) show(turn, response);
  }
}

const job = JSON.parse(process.argv[2]);
const answers = MODES[job.mode];
if (answers === undefined) throw new Error(`unknown mode: ${job.mode}`);

const session = open(job);
const histories = () => ({
  history: session.chat.getHistory(false),
  curated: session.chat.getHistory(true),
});
try {
  await play(session, answers, job.prompts);
  print({ done: true, ...histories() });
} catch ({ name, message, status = null }) {
  print({ error: { name, message, status }, ...histories() });
}
