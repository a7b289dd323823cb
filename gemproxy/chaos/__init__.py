"""A fake Gemini that answers by script and breaks on purpose.

    answers       the content: text, thoughts, calls, endings
    repertoire    the built-in answers, by name
    frames        an answer -> the response documents of one attempt
    framing       documents -> the pieces of a body: SSE, JSON array, unary
    faults        the faults, their places, and their grammar
    delivery      pieces and a fault -> the steps on the connection
    wire          reads requests from a connection, carries out steps on it
    behaviours    how a model continues a given text
    conversation  whether a request is a new turn, a replay or a continuation
    script        the answer, the fault and the behaviour of each attempt
    api           the routes, and Google's error bodies
    files         the files API: uploads, downloads
    resources     caches, batches, embeddings
    openai        Google's OpenAI layer
    interactions  the Interactions API: streams that can be replayed
    server        the sockets

Only ``wire`` and ``server`` do I/O. The seed determines every answer: the same requests get the
same bytes.
"""
