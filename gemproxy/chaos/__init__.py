"""A fake Gemini that answers by script and breaks on purpose.

    answers       what it says: text, thoughts, calls, endings
    repertoire    answers that come with it, by name
    frames        an answer -> the response documents of one attempt
    framing       documents -> the pieces of a body: SSE, JSON array, unary
    faults        what goes wrong and where, and the grammar that names it
    delivery      pieces and a fault -> what to do on the connection, step by step
    wire          requests off a connection, steps onto it
    behaviours    how a model takes up a text that it is asked to continue
    conversation  is this request a new turn, a replay or a continuation?
    script        which answer, which fault and which behaviour an attempt gets
    api           the routes, and Google's error bodies
    files         the files API: uploads, downloads
    resources     caches, batches, embeddings
    openai        Google's OpenAI layer
    interactions  the Interactions API: streams that can be told again
    server        the sockets

All but ``wire`` and ``server`` is free of I/O, and everything follows from the seed: the
same requests get the same bytes.
"""
