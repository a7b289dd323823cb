"""The script's reaction to one request for a generation.

All randomness comes from the seed: the number of an attempt determines how its text is cut into
chunks, and together with the conversation it determines the responseId.
"""

import random

import attrs

from gemproxy.chaos.api import error_reply, framing_of, prompt_tokens, route_of
from gemproxy.chaos.conversation import first_user_text, turns_of
from gemproxy.chaos.delivery import (
    NoSuchPlace,
    Step,
    Transfer,
    Wiring,
    compose,
    deliver,
)
from gemproxy.chaos.frames import Document, Envelope, merged, render
from gemproxy.chaos.framing import Framing, Style
from gemproxy.chaos.script import Conversation, Plan, Script
from gemproxy.chaos.wire import Request


@attrs.frozen
class Generation:
    """The steps of one attempt; ``violation`` describes the client's mistake, if any."""

    plan: Plan
    steps: tuple[Step, ...] = attrs.field(repr=False)
    violation: str | None = None


def generate(
    request: Request, model: str, conversation: Conversation, seed: int, project: str = ""
) -> Generation:
    """Return the next attempt of ``conversation``, and count it.

    ``project`` is the one that the request came to, if there are projects.
    """
    document = request.document
    plan = conversation.take(document)
    framing = _framing(request, conversation.script)
    wiring = _wiring(request, conversation)
    if plan.refusal is not None:
        reply = error_reply(400, plan.refusal, framing)
        violation = plan.refusal if plan.violation else None
        return Generation(plan, tuple(deliver(reply, None, wiring)), violation)
    envelope = _envelope(plan, document, model, seed)
    documents = _documents(plan, attrs.evolve(envelope, project=project), seed, framing)
    try:
        reply = compose(documents, framing, plan.fault)
        return Generation(plan, tuple(deliver(reply, plan.fault, wiring)))
    except NoSuchPlace as exc:
        return _misfit(plan, exc, framing, wiring)


def _misfit(plan: Plan, exc: NoSuchPlace, framing: Framing, wiring: Wiring) -> Generation:
    """Answer with an error: the script's fault does not fit its answer."""
    message = f"The chaos server cannot do {plan.fault}: {exc}."
    return Generation(
        plan, tuple(deliver(error_reply(500, message, framing), None, wiring)), message
    )


def _framing(request: Request, script: Script) -> Framing:
    """Return the form of the answer: the script's, or else the requested one."""
    route = route_of(request)
    framing = framing_of(request, route, script.line_end)
    if route is None or route.method != "streamGenerateContent":
        return framing
    style = script.style or framing.style
    return attrs.evolve(framing, style=style, media_type=script.media_type)


def _wiring(request: Request, conversation: Conversation) -> Wiring:
    """Return the transfer coding of the body; HTTP/1.0 has no chunks."""
    wiring = conversation.script.wiring
    if request.version == "HTTP/1.0" and wiring.transfer is Transfer.CHUNKED:
        return attrs.evolve(wiring, transfer=Transfer.CLOSE)
    return wiring


def _envelope(plan: Plan, document: dict[str, object], model: str, seed: int) -> Envelope:
    opening = first_user_text(turns_of(document))
    return Envelope(
        prompt_tokens=prompt_tokens(document),
        response_id=f"{random.Random(f'{seed}:{plan.number}:{opening}').getrandbits(88):022x}",
        model=model,
    )


def _documents(plan: Plan, envelope: Envelope, seed: int, framing: Framing) -> list[Document]:
    rng = random.Random(f"{seed}:{plan.number}")
    documents = render(plan.answer, plan.portion, envelope, rng)
    return [merged(documents)] if framing.style is Style.UNARY else documents
