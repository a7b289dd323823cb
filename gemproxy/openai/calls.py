"""Calls of functions on the way to the client: Gemini's functionCall parts as OpenAI's tool_calls.

A call is told whole, in one delta. Its index counts over the whole answer: clients glue calls with
one index together. Two equal calls are two calls. The id is Gemini's own where it gives one, else
it is derived from the answer's id and the call's number, so the same frames give the same ids. The
thoughtSignature of a call stands in ``extra_content`` and in the id (``callid``), for clients that
keep only OpenAI's fields. Name and arguments are those of the client's own declaration.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import attrs

from gemproxy.openai import callid
from gemproxy.openai.asked import Telling
from gemproxy.openai.retyping import retyped
from gemproxy.openai.signatures import signed

Json = dict[str, Any]


@attrs.define
class Calls:
    """The calls of one answer so far.

    ``seed`` distinguishes this answer from all others, for ids that are made up. ``count`` is how
    many calls were told.
    """

    telling: Telling
    seed: str
    count: int = 0
    _ids: set[str] = attrs.field(factory=set)

    def told(self, call: Mapping[str, Any], signature: str | None) -> Json | None:
        """Return the delta that tells a call, or None for one that the client did not ask for.

        A client that asked for one call at a time, or that knows only ``function_call``, gets the
        first one.
        """
        telling = self.telling
        if self.count and (telling.single_call or telling.legacy):
            return None
        index, self.count = self.count, self.count + 1
        name = str(call.get("name") or "")
        arguments = _arguments(call, telling.schemas.get(name))
        function = {"name": telling.names.get(name, name), "arguments": arguments}
        if telling.legacy:
            return {"function_call": function}
        told: Json = {"index": index, "id": self._id(call, index, signature), "type": "function"}
        told["function"] = function
        if signature:
            told["extra_content"] = signed(signature)
        return {"tool_calls": [told]}

    def _id(self, call: Mapping[str, Any], index: int, signature: str | None) -> str:
        own = call.get("id")
        if not isinstance(own, str) or not own or own in self._ids:
            seed = f"{self.seed}/{index}".encode()
            own = "call_" + hashlib.blake2s(seed, digest_size=12).hexdigest()
        self._ids.add(own)
        return callid.carried(own, signature)


def _arguments(call: Mapping[str, Any], schema: object) -> str:
    """Return the arguments as JSON text; a call without any has an empty object.

    ``schema`` is the client's, where the model was told another one.
    """
    args = call.get("args")
    args = args if isinstance(args, dict) else {}
    if schema is not None:
        args = retyped(args, schema)
    return json.dumps(args, ensure_ascii=False, separators=(",", ":"))
