"""The trials with a function: the call after a cut, its signature, and the turn after it."""

import json

from gemproxy.core.repair.continuation import Form
from gemproxy.probe import prompts
from gemproxy.probe.attempts import Resumed, hear, resume
from gemproxy.probe.bench import Bench, Json, Outcome, figures_of, seam_of
from gemproxy.probe.cutting import Place
from gemproxy.probe.gemini import CannotTell, Rejection
from gemproxy.probe.said import Part
from gemproxy.probe.trials import problem_of


async def call(bench: Bench) -> Outcome:
    """Cut an answer in the text before its function call, and expect the call after a resume."""
    body = prompts.asking_for_weather()
    broken = await bench.break_answer(body, Place.BEFORE_SPACE, (8, 14), ahead=4)
    resumed = await resume(bench.gemini, broken, Form.ECHO)
    problem = _call_problem(resumed)
    if problem is None:
        bench.turn = ({"text": broken.text + resumed.after}, *resumed.said.calls)
    figures = {
        "calls": len(resumed.said.calls),
        "signed": _is_signed(bench.turn),
        **figures_of(broken, resumed),
    }
    success = "the resumed answer calls the function"
    return Outcome(problem, success, figures, seam_of(broken, resumed))


def _call_problem(resumed: Resumed) -> str | None:
    calls = len(resumed.said.calls)
    if not calls:
        return "the resumed answer does not call the function"
    return None if resumed.calls == calls else f"of {calls} calls the core passes {resumed.calls}"


async def signatures(bench: Bench) -> Outcome:
    """Answer the call without its thoughtSignature, to test whether the API requires it."""
    body = _answering(tuple(map(_unsigned, _turn(bench))))
    signed, demand = _is_signed(bench.turn), await _demand(bench, body)
    figures = {"demanded": demand is not None, "signed": signed}
    if demand is None:
        return Outcome(None, "signatures are not demanded", figures)
    problem = None if signed else f"demanded, and the resumed call has none: {demand}"
    return Outcome(problem, "demanded, and the resumed call carries one", figures)


async def _demand(bench: Bench, body: Json) -> str | None:
    """Return the API's message that requires a signature, or None if it does not."""
    try:
        await hear(bench.gemini, bench.model, json.dumps(body).encode())
    except Rejection as rejection:
        if "signature" in rejection.message.lower():
            return rejection.message
        raise CannotTell(f"the request was refused: {rejection}") from rejection
    return None


async def function_response(bench: Bench) -> Outcome:
    """Resume an answer to a functionResponse, with model text and notice after it."""
    body = _answering(_turn(bench))
    broken = await bench.break_answer(body, Place.BEFORE_SPACE, (20, 60), ahead=8)
    resumed = await resume(bench.gemini, broken, Form.ECHO)
    seam = seam_of(broken, resumed)
    success = "text and notice are accepted behind a functionResponse"
    return Outcome(problem_of(resumed, seam), success, figures_of(broken, resumed), seam)


def _turn(bench: Bench) -> tuple[Part, ...]:
    if not bench.turn:
        raise CannotTell("there is no function call to answer")
    return bench.turn


def _answering(turn: tuple[Part, ...]) -> Json:
    """Return the request that answers the calls in a model's ``turn``."""
    answers = [
        {"functionResponse": _response(part["functionCall"])}
        for part in turn
        if "functionCall" in part
    ]
    return prompts.asking_for_weather(
        {"role": "model", "parts": list(turn)}, {"role": "user", "parts": answers}
    )


def _response(function_call: Part) -> Json:
    identity = {name: function_call[name] for name in ("id", "name") if name in function_call}
    return {**identity, "response": prompts.FORECAST}


def _unsigned(part: Part) -> Json:
    return {name: value for name, value in part.items() if name != "thoughtSignature"}


def _is_signed(turn: tuple[Part, ...]) -> bool:
    """Return whether the first call is signed; of parallel calls, Gemini signs only that."""
    calls = [part for part in turn if "functionCall" in part]
    return bool(calls and calls[0].get("thoughtSignature"))
