// Drives the stock @google/genai SDK as an application would, and prints what it saw.
//
// One argument, a JSON job:
//   {baseUrl, apiKey, model, prompts, config?, headers?, apiVersion?, pause?,
//    mode: "stream" | "chat" | "generate" | "surface" | "files" | "interactions" | "live" |
//    "music" | "making" | "trespassing"}
// With a pause the application takes so many milliseconds for each response object.
// In the mode "surface" everything small that the SDK offers is done once with the prompt.
// In the mode "files" a prompt is the path of a file: it is uploaded, looked up, used in a prompt,
// downloaded to the same path with ".back" after it, and deleted. In the mode "interactions" a
// prompt is the input of one, or, as "id after event", one that is read on; the chunks are events.
// In the mode "making" a prompt is the path of a file: the file, a cache, a batch and an interaction
// are made, yielded by name, and then listed. In the mode "trespassing" a prompt is the JSON of such
// names, and each way to them is yielded with its status.
// In the mode "live" one session serves all prompts, and the chunks are its messages; an end is
// one too, {closed: {code, reason}}. "music" sends a prompt and yields the first message.
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
  async *interactions({ ai, model, config }, prompt) {
    const [id, last_event_id] = prompt.split(" after ");
    yield* last_event_id
      ? await ai.interactions.get(id, { stream: true, last_event_id })
      : await ai.interactions.create({ model, input: prompt, stream: true, ...config });
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
  async *making({ ai, model }, path) {
    const file = await ai.files.upload({ file: path, config: { mimeType: "text/plain" } });
    const contents = [createPartFromUri(file.uri, file.mimeType)];
    const cache = await ai.caches.create({ model, config: { contents } });
    const batch = await ai.batches.create({ model, src: { fileName: file.name } });
    const interaction = await ai.interactions.create({ model, input: "Hello" });
    const names = { file: file.name, cache: cache.name, batch: batch.name, interaction: interaction.id };
    yield { ...names, uri: file.uri };
    const answer = await ai.models.generateContent({ model, contents, config: { cachedContent: cache.name } });
    yield { used: answer.text };
    const lists = [ai.files.list(), ai.caches.list(), ai.batches.list()].map(async (pages) => {
      const found = [];
      for await (const { name } of await pages) found.push(name);
      return found;
    });
    yield { listed: await Promise.all(lists) };
  },
  async *trespassing({ ai, model }, prompt) {
    const { file, uri, cache, batch, interaction } = JSON.parse(prompt);
    const use = (contents, config) => ai.models.generateContent({ model, contents, config });
    const ways = {
      "get a file": () => ai.files.get({ name: file }),
      "download a file": () => ai.files.download({ file, downloadPath: "/dev/null" }),
      "use a file": () => use([createPartFromUri(uri, "text/plain")]),
      "delete a file": () => ai.files.delete({ name: file }),
      "get a cache": () => ai.caches.get({ name: cache }),
      "use a cache": () => use("Hello", { cachedContent: cache }),
      "change a cache": () => ai.caches.update({ name: cache, config: { ttl: "9s" } }),
      "delete a cache": () => ai.caches.delete({ name: cache }),
      "make a batch of a file": () => ai.batches.create({ model, src: { fileName: file } }),
      "get a batch": () => ai.batches.get({ name: batch }),
      "cancel a batch": () => ai.batches.cancel({ name: batch }),
      "delete a batch": () => ai.batches.delete({ name: batch }),
      "get an interaction": () => ai.interactions.get(interaction),
      "follow an interaction": () =>
        ai.interactions.create({ model, input: "On", previous_interaction_id: interaction }),
      "delete an interaction": () => ai.interactions.delete(interaction),
    };
    for (const [way, go] of Object.entries(ways)) {
      yield { way, status: await go().then(() => 200, ({ status, message }) => status ?? message) };
    }
  },
  async *surface({ ai, model, config }, prompt) {
    const all = async (pages) => {
      const found = [];
      for await (const item of pages) found.push(item);
      return found;
    };
    const generated = await ai.models.generateContent({ model, config, contents: prompt });
    yield { generated: generated.text };
    yield { counted: (await ai.models.countTokens({ model, contents: prompt })).totalTokens };
    const { embeddings } = await ai.models.embedContent({ model, contents: [prompt] });
    yield { embedded: embeddings.map(({ values }) => values) };
    yield { listed: (await all(await ai.models.list())).map(({ name }) => name) };
    const cache = await ai.caches.create({ model, config: { contents: prompt, displayName: "mine" } });
    const cachedContent = cache.name;
    const answer = await ai.models.generateContent({
      model,
      contents: prompt,
      config: { ...config, cachedContent },
    });
    await ai.caches.delete({ name: cache.name });
    yield { cached: [cache.displayName, answer.text, (await all(await ai.caches.list())).length] };
    const batch = await ai.batches.create({ model, src: [{ contents: prompt }] });
    await ai.batches.cancel({ name: batch.name });
    const { state } = await ai.batches.get({ name: batch.name });
    await ai.batches.delete({ name: batch.name });
    yield { batched: [batch.state, state, (await all(await ai.batches.list())).length] };
  },
  async *live({ live }, prompt) {
    live.session ??= await live.open();
    live.session.sendClientContent({ turns: [{ role: "user", parts: [{ text: prompt }] }] });
    yield* live.turn();
  },
  async *music({ music }, prompt) {
    music.session ??= await music.open();
    await music.session.setWeightedPrompts({ weightedPrompts: [{ text: prompt, weight: 1 }] });
    yield await music.next();
  },
};

// Connects with callbacks, and turns what they are told into values that can be waited for.
function listening(connect) {
  const told = [];
  let wake = () => {};
  const tell = (item) => {
    told.push(item);
    wake();
  };
  const callbacks = {
    onmessage: tell,
    onerror: ({ message }) => tell(new Error(message)),
    onclose: ({ code, reason }) => tell({ closed: { code, reason } }),
  };
  const next = async () => {
    while (told.length === 0) await new Promise((resolve) => (wake = resolve));
    const item = told.shift();
    if (item instanceof Error) throw item;
    return item;
  };
  async function* turn() {
    for (let over = false; !over; ) {
      const item = await next();
      over = item.closed || item.serverContent?.turnComplete;
      yield item;
    }
  }
  // The SDK waits for ever for a socket that does not open, or closes before its setup is complete.
  const refused = () =>
    new Promise((_, reject) => {
      wake = () => {
        if (told[0] instanceof Error) reject(told[0]);
        if (told[0].closed) reject(new Error(`closed: ${told[0].closed.code} ${told[0].closed.reason}`));
      };
    });
  return { next, turn, open: () => Promise.race([connect(callbacks), refused()]) };
}

function open({ baseUrl, apiKey, model, config = {}, headers = {}, apiVersion }) {
  const httpOptions = { baseUrl, headers, ...(apiVersion && { apiVersion }) };
  const ai = new GoogleGenAI({ apiKey, vertexai: false, httpOptions });
  const live = listening((callbacks) => ai.live.connect({ model, config, callbacks }));
  const music = listening((callbacks) => ai.live.music.connect({ model, callbacks }));
  return { ai, model, config, chat: ai.chats.create({ model, config }), live, music };
}

async function play(session, answers, { prompts, pause }) {
  for (const [turn, prompt] of prompts.entries()) {
    for await (const response of answers(session, prompt)) {
      show(turn, response);
      if (pause) await new Promise((resolve) => setTimeout(resolve, pause));
    }
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
  await play(session, answers, job);
  session.live.session?.close();
  session.music.session?.close();
  print({ done: true, ...histories() });
} catch ({ name, message, status = null }) {
  print({ error: { name, message, status }, ...histories() });
}
