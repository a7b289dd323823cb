r"""The output for each kind of client.

The core decides which frames go out. A voice turns them into the bytes of one client's stream: it
frames our own frames, and passes the others unchanged. It also knows the additions that this client
tolerates, such as heartbeats and errors. ``table`` chooses the voice of a request.

Google's SDKs are not full SSE parsers: comments, ``id:`` and ``event:`` lines break most of them,
or make them silently lose text. Two additions are possible, and each has an exception. Measured
with google-genai 1.10 to 3.4 (Python), @google/genai 0.8 to 3.1 and @google/generative-ai 0.24
(JavaScript), langchain and the Vercel AI SDK; read in the source of go-genai and java-genai:

- *A blank line between two events* is skipped by all but @google/generative-ai (on which
  @langchain/google-genai is built) and @google/genai before 1.30. It must be the blank
  line that ends an event, two line ends in the stream's own style: go-genai cuts its input
  at ``\n\n`` or ``\r\n\r\n`` and refuses an event that begins with a lone line end. The
  other clients that call themselves ``genai-<language>`` are of the same generation as the
  one that breaks, and untested: they get no blank lines either.
- *An error event*, ``data: {"error": ...}``, raises in all of them if the connection is then
  cut short. go-genai logs the cut and yields an empty chunk for the event, but raises the
  typed error for the bare JSON object, so it gets that object.

Other code reads the streams of interactions, a full SSE parser (google-genai 3.4, @google/genai
2.32): it skips blank lines of any style, and an error event is an ordinary event. The cut after it
raises.

OpenAI's SDKs raise APIError for ``data: {"error": ...}``, after all the text before it (openai
3.57, Python), and look for words as codes.

In the JSON array that Gemini sends without ``alt=sse``, whitespace is allowed only after the
opening bracket has gone out (measured with google-generativeai 0.8).
"""
