"""The probabilities of an answer's tokens: Gemini's ``logprobsResult`` as OpenAI's ``logprobs``.

Gemini lists the tokens that it chose and, for each of them, the most likely ones. After a repair
the result fits the text, because tokens of text that was cut are cut with it.

Sources: LogprobsResult in Google's reference (https://ai.google.dev/api/generate-content), the
object of a chat completion in OpenAI's. OpenAI has no word for an unknown probability; its floor
for unlikely tokens, -9999, stands for it.
"""

from typing import Any

from gemproxy.openai.fields import Json

_UNLIKELY = -9999.0


def tokens(result: Any) -> list[Json]:  # noqa: ANN401 - what Gemini sent
    """Return the entries of ``logprobs.content`` for one frame's result; empty for none."""
    if not isinstance(result, dict):
        return []
    tops = _objects(result.get("topCandidates"))
    told = []
    for number, chosen in enumerate(_objects(result.get("chosenCandidates"))):
        top = _objects(tops[number].get("candidates")) if number < len(tops) else []
        told.append({**_token(chosen), "top_logprobs": [_token(one) for one in top]})
    return told


def told(content: list[Json]) -> Json | None:
    """Return a choice's ``logprobs`` with these entries, None without any."""
    return {"content": content, "refusal": None} if content else None


def _token(candidate: Json) -> Json:
    token, probability = candidate.get("token"), candidate.get("logProbability")
    text = token if isinstance(token, str) else ""
    known = isinstance(probability, int | float) and not isinstance(probability, bool)
    return {
        "token": text,
        "logprob": probability if known else _UNLIKELY,
        "bytes": list(text.encode(errors="surrogatepass")),
    }


def _objects(value: object) -> list[Json]:
    return (
        [one if isinstance(one, dict) else {} for one in value] if isinstance(value, list) else []
    )
