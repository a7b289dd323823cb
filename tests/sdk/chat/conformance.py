"""Which client of OpenAI's dialect did what through the proxy: docs/openai-conformance.md.

A test that proves a cell is marked ``@pytest.mark.chat(client, feature)``; see ``tests.sdk.table``.
"""

from tests.sdk.table import DOCS, Sdk, Table

FEATURES = (
    "text",
    "stream",
    "tools",
    "tools, streamed",
    "picture",
    "JSON schema",
    "blocked",
    "error",
    "cut",
    "cut, resumed",
    "embeddings",
    "models",
    "image",
    "image edit",
    "image, streamed",
)
_LOCK = "chat/clients.txt"
_NO_MODELS = frozenset({"models"})
_NO_STREAMED_IMAGES = frozenset({"image, streamed"})
_NO_IMAGES = _NO_STREAMED_IMAGES | {"image", "image edit"}

CLIENTS = (
    Sdk("openai (Python)", "openai"),
    Sdk("openai (Node)", "openai", javascript=True),
    Sdk(
        "@ai-sdk/openai-compatible",
        "@ai-sdk/openai-compatible",
        javascript=True,
        lacks=_NO_MODELS | _NO_STREAMED_IMAGES,
    ),
    Sdk("langchain-openai", "langchain-openai", lock=_LOCK, lacks=_NO_MODELS | _NO_IMAGES),
    Sdk("litellm", "litellm", lock=_LOCK, lacks=_NO_MODELS | _NO_STREAMED_IMAGES),
    Sdk(
        "openai-agents", "openai-agents", lock=_LOCK, lacks=_NO_MODELS | _NO_IMAGES | {"embeddings"}
    ),
)

_HEAD = """# OpenAI's clients

What stock clients of OpenAI's API do through gemproxy's `/v1` when only the base URL and the key
are changed. They are tested against a fake Gemini that refuses what Gemini is known to refuse:
missing or wrong thought signatures, results without their calls, schemas and names that it does
not take. `make sdk-table` runs the tests and writes this page.

"""

_FOOT = """
- **text**, **stream**: the text without a thought in it, one finish reason, the usage.
- **tools**, **tools, streamed**: three parallel calls, their results, one more call with its
  result, and the last text. The fake issues signatures with the calls and refuses a step without
  them; openai (Python) streams and sends back nothing but the fields that OpenAI documents.
- **picture**: a data URL reaches Gemini as a picture. **JSON schema**: a schema reaches Gemini, and
  its document comes back.
- **blocked**: a blocked prompt ends with `content_filter` and a refusal; openai-agents raises the
  refusal, @ai-sdk/openai-compatible shows it as the text.
- **error**: Gemini's error before the first word is an exception with its status and its message.
- **cut**: a stream that breaks off and cannot be resumed raises an exception behind the text; no
  client takes it for an end. **cut, resumed**: a stream that breaks off twice arrives whole.
- **embeddings**: the vectors, in the form that the client asks for unasked (base64).
- **image**: the picture of `images/generations`, without a draft of it. **image edit**: a JPEG that
  the client calls a PNG reaches Gemini as a JPEG, and the changed picture comes back. **image,
  streamed**: one event, with the picture and the usage.
"""

CHAT_TABLE = Table(DOCS / "openai-conformance.md", CLIENTS, FEATURES, _HEAD, _FOOT)
