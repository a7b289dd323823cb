"""A language model on standard input and output: a line of JSON in, a line of JSON out.

    build/bench/seams/bin/python bench/seams/real/speaker.py PACKAGE

PACKAGE is an installed package with a GGUF file. A request is {"prompt", "least", "most",
"begins"}: the model continues ``prompt`` until it stops, until it has written ``most`` characters,
or until it has written ``least`` and is not repeating a text that begins with ``begins``. The
answer is {"text", "ended"}; ``ended`` means that the model stopped by itself. Temperature 0.

It runs in its own environment, which has llama-cpp-python but not gemproxy.
"""

import importlib
import importlib.resources
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

CONTEXT = 4096
STOP = "<|im_end|>"
ALIKE = 16
"""Common characters of a restart and the beginning of the answer."""


class Model(Protocol):
    """The used part of llama_cpp.Llama."""

    def create_completion(self, prompt: str, **options: object) -> Iterator[dict[str, Any]]:
        """Yield the continuation of ``prompt``, piece by piece."""


def speak(model: Model, asked: Mapping[str, Any]) -> dict[str, object]:
    """Return the model's answer to a request."""
    text = ""
    for piece in _pieces(model, asked["prompt"]):
        text += piece
        enough = len(text) >= asked["least"] and not _tells_again(text, asked["begins"])
        if enough or len(text) >= asked["most"]:
            return {"text": text, "ended": False}
    return {"text": text, "ended": True}


def _pieces(model: Model, prompt: str) -> Iterator[str]:
    for chunk in model.create_completion(
        prompt, max_tokens=CONTEXT, temperature=0.0, stream=True, stop=[STOP]
    ):
        yield chunk["choices"][0]["text"]


def _tells_again(text: str, begins: str) -> bool:
    head = text.lstrip(" \n<[`\"'").removeprefix("reply_so_far>\n")[:ALIKE]
    return head in begins[: 4 * ALIKE]


def main() -> None:
    """Load the model and answer until standard input ends."""
    llama = importlib.import_module("llama_cpp")
    files = importlib.resources.files(sys.argv[1])
    path = next(str(file) for file in files.iterdir() if file.name.endswith(".gguf"))
    model = llama.Llama(
        model_path=path, n_ctx=CONTEXT, n_threads=1, n_threads_batch=1, verbose=False
    )
    for line in sys.stdin:
        print(json.dumps(speak(model, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
