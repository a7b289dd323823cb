"""Drives the stock langchain-google-genai as an application would, and prints what it saw.

Run by an environment of its own (langchain.txt), with a base URL and a prompt. One JSON line:
{generated, streamed, counted, embedded}.
"""

import json
import sys

from langchain_google_genai import (  # type: ignore[import-not-found]
    ChatGoogleGenerativeAI,
    GoogleGenerativeAIEmbeddings,
)


def main(url: str, prompt: str) -> None:
    """Use everything once, streaming first: the fake Gemini's faults are for the first."""
    options = {"google_api_key": "test-key", "base_url": url}
    chat = ChatGoogleGenerativeAI(model="gemini-test", max_retries=0, **options)
    embeddings = GoogleGenerativeAIEmbeddings(model="models/gemini-test", **options)
    seen = {
        "streamed": "".join(str(chunk.text) for chunk in chat.stream(prompt)),
        "generated": str(chat.invoke(f"{prompt} ").text),
        "counted": chat.get_num_tokens(prompt),
        "embedded": embeddings.embed_query(prompt),
    }
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
