r"""What one kind of client hears.

The core decides which frames go out. A voice turns them into the bytes of one client's stream: it
frames what is of our own making, and passes all else as it came. It also knows what may be said to
that client beyond what Gemini says. ``table`` chooses the voice of a request.

Google's SDKs are no SSE parsers: comments, ``id:`` and ``event:`` lines break most of them,
or make them lose text in silence. Two additions are left, and each has an exception.
Measured with google-genai 1.10 to 3.4 (Python), @google/genai 0.8 to 3.1 and
@google/generative-ai 0.24 (JavaScript), langchain and the Vercel AI SDK; read in the source
of go-genai and java-genai:

- *A blank line between two events* is skipped by all but @google/generative-ai (on which
  @langchain/google-genai is built) and @google/genai before 1.30. It has to be the blank
  line that ends an event, two line ends in the stream's own style: go-genai cuts its input
  at ``\n\n`` or ``\r\n\r\n`` and refuses an event that begins with a lone line end. The
  other clients that call themselves ``genai-<language>`` are of the same generation as the
  one that breaks, and untested: they get no blank lines either.
- *An error event*, ``data: {"error": ...}``, raises in all of them when the connection is then
  cut short. go-genai logs the cut and yields an empty chunk for the event, but raises the
  typed error for the bare JSON object, so that is what it gets.

The streams of interactions are read by other code, a whole SSE parser (google-genai 3.4,
@google/genai 2.32): blank lines of any style are skipped, and an error event is an event like
any other. What raises is the cut behind it.

OpenAI's SDKs raise APIError for ``data: {"error": ...}``, after all the text before it (openai
3.57, Python), and look for words as codes.

In the JSON array that Gemini sends without ``alt=sse``, white space is free once the opening
bracket has gone out, and only then (measured with google-generativeai 0.8).
"""
