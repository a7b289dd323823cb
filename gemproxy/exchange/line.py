"""The access log's line: one rendering of an exchange and of its account.

Users' queries depend on the names and the presence of the fields. A field without a value is
omitted or null, like its neighbours in the same kind of line.
"""

from typing import Any

from gemproxy.exchange.account import (
    Account,
    CallResult,
    Charge,
    InteractionResult,
    SessionResult,
    StreamResult,
)
from gemproxy.exchange.exchange import Exchange

Fields = dict[str, Any]


def line(exchange: Exchange, status: int, size: int, seconds: float) -> Fields:
    """Return the fields of the line for a request that was answered with ``status``.

    ``size`` counts the bytes that were written, ``seconds`` its whole duration.
    """
    fields, charge = _of_account(exchange.account), exchange.account.charge
    if charge is not None:
        fields |= _of_charge(charge)
        fields.setdefault("attempts", exchange.account.attempts)
    if exchange.account.cancelled:
        fields["cancelled"] = True
    if exchange.account.injected:
        fields["injected"] = True
    if exchange.account.stream:
        fields["stream"] = exchange.account.stream
        if exchange.account.follows:
            fields["follows"] = True
    if exchange.account.trace is not None:
        fields |= exchange.account.trace.fields()
    fields["route"] = exchange.family
    fields["method"] = exchange.method
    fields["path"] = exchange.raw_path
    fields["status"] = status
    fields["bytes"] = size
    fields["duration_ms"] = round(seconds * 1000, 1)
    return fields


def _of_account(account: Account) -> Fields:
    fields: Fields = {}
    if account.access:
        fields["access"] = account.access
        fields["keys"] = [entry.key for entry in account.entries if entry.key]
    if account.model is not None:
        fields["model"] = account.model
    if account.client_gone:
        fields["client"] = "gone"
    if account.upstream is not None:
        fields["upstream"] = account.upstream.value
    match account.result:
        case StreamResult():
            fields |= _of_stream(account.result)
        case InteractionResult():
            fields |= _of_interaction(account.result)
        case CallResult():
            fields |= _of_call(account.result)
        case SessionResult():
            fields |= _of_session(account.result)
    if account.access and "attempts" in fields:
        fields["attempts"] = account.attempts
    return fields


def _of_charge(charge: Charge) -> Fields:
    """Return the figures of the ledger's row, by the same names; money only if there is a price."""
    fields: Fields = {
        "input_tokens": charge.input_tokens,
        "cached_tokens": charge.cached_tokens,
        "output_tokens": charge.output_tokens,
        "thought_tokens": charge.thought_tokens,
        "extra_input_tokens": charge.extra_input_tokens,
        "extra_output_tokens": charge.extra_output_tokens,
    }
    if charge.cost_nano_usd is not None:
        fields["cost_nano_usd"] = charge.cost_nano_usd
        fields["operator_cost_nano_usd"] = charge.operator_cost_nano_usd
    if charge.estimated:
        fields["estimated"] = True
    return fields


def _of_stream(result: StreamResult) -> Fields:
    fields: Fields = {
        "ending": result.ending,
        "finish_reason": result.finish_reason,
        "attempts": result.attempts,
        "causes": [cause.value for cause in result.causes],
        "joints": [joint.value for joint in result.joints],
        "seam_ms": result.seam_ms,
        "first_byte_ms": result.first_byte_ms,
        "characters": result.characters,
        "tokens": result.billed.report(),
        "extra_tokens": result.extra_tokens,
        "repair": result.repair,
    }
    if result.grace_ran_out:
        fields["grace_ran_out"] = True
    if result.missing_candidates:
        fields["missing_candidates"] = result.missing_candidates
    return fields


def _of_interaction(result: InteractionResult) -> Fields:
    ending = {} if result.ending is None else {"ending": result.ending}
    return {
        **ending,
        "attempts": result.attempts,
        "causes": [cause.value for cause in result.causes],
        "events": result.events,
        "status_of_interaction": result.status,
        "first_byte_ms": result.first_byte_ms,
        "repair": result.repair,
    }


def _of_call(result: CallResult) -> Fields:
    fields: Fields = {
        "attempts": result.attempts,
        "causes": [cause.value for cause in result.causes],
        "repair": result.repair,
    }
    if result.generation is not None:
        fields["finish_reason"] = result.generation.finish_reason
        fields["tokens"] = result.generation.billed.report()
        fields["extra_tokens"] = result.generation.extra_tokens
    if result.upstream is not None:
        fields["upstream"] = result.upstream.value
    return fields


def _of_session(result: SessionResult) -> Fields:
    fields: Fields = {
        "frames_up": result.frames_up,
        "bytes_up": result.bytes_up,
        "frames_down": result.frames_down,
        "bytes_down": result.bytes_down,
    }
    if result.farewell is not None:
        fields["ended"] = result.farewell.how
        fields["ended_by"] = result.farewell.by
        fields["close_code"] = result.farewell.code
    return fields
