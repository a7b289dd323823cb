"""The processes of this proxy, and what the doctor finds in them."""

import asyncio
import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any, Protocol

from gemproxy.admin.route import Call, Form, Nothing, Route, says
from gemproxy.admin.streams import Workers
from gemproxy.core.errors import Busy, Unrouted

PATIENCE = 15.0
"""Seconds that the doctor has; its own limit is shorter."""


class WorkerState(Form, frozen=True):
    """One process."""

    worker: Annotated[int, says("Its number, from 0 on")]
    memory_bytes: Annotated[int, says("Its memory that is not swapped out")]
    running_requests: Annotated[int, says("Its requests that run")]


class SystemState(Form, frozen=True):
    """The processes of this proxy, their versions and their memory."""

    version: Annotated[str, says("The version of gemproxy")]
    python: Annotated[str, says("The version of Python")]
    platform: Annotated[str, says("The system and the machine")]
    event_loop: Annotated[str, says("The module of the event loop")]
    libraries: Annotated[dict[str, str | None], says("Versions; null: not installed")]
    mode: Annotated[str, says("passthrough, pool or both")]
    began: Annotated[dt.datetime, says("When this worker started")]
    uptime_seconds: Annotated[float, says("Seconds since then")]
    memory_bytes: Annotated[int, says("The memory of the workers that answered")]
    running_requests: Annotated[int, says("Their requests that run")]
    log_file: Annotated[str, says("The file of the log; empty: the standard error")]
    each: Annotated[list[WorkerState], says("The workers that answered")]
    workers: Annotated[Workers, says("How many other workers were asked, and answered")]


class Examination(Form, frozen=True):
    """Which checks are wanted."""

    network: Annotated[
        bool, says("Also those that ask the upstream, with the keys too, and the public URL")
    ] = False


class CheckFinding(Form, frozen=True):
    """What a check found."""

    check: Annotated[str, says("The name of the check")]
    status: Annotated[str, says("ok, warning, fault or skipped")]
    message: Annotated[str, says("What it found")]
    advice: Annotated[str, says("What can be done about it; empty if nothing is to be done")]


class CheckFindings(Form, frozen=True):
    """What the doctor finds in a running proxy."""

    ok: Annotated[bool, says("Whether there is no fault")]
    findings: Annotated[list[CheckFinding], says("The findings, in the order of the checks")]


class Machine(Protocol):
    """The running proxy."""

    async def state(self) -> SystemState:
        """Return how its processes are."""

    async def examine(self, *, network: bool) -> Sequence[CheckFinding]:
        """Return what the doctor finds."""


def machine_of(call: Call[Any, Any]) -> Machine:
    """Return the running proxy. Raises Unrouted where the desk has none."""
    if call.desk.machine is None:
        raise Unrouted("This proxy shows nothing of its system.")
    return call.desk.machine


async def system(call: Call[Nothing, Any]) -> SystemState:
    """Return how the processes are."""
    return await machine_of(call).state()


async def doctor(call: Call[Any, Examination]) -> CheckFindings:
    """Run the checks of the doctor; they change nothing. Raises Busy if they hang."""
    try:
        async with asyncio.timeout(PATIENCE):
            found = await machine_of(call).examine(network=call.body.network)
    except TimeoutError:
        raise Busy("The checks hang: run gemproxy doctor on the machine itself.") from None
    return CheckFindings(ok=all(one.status != "fault" for one in found), findings=list(found))


ROUTES = (
    Route(
        "GET",
        "/system",
        system,
        "Show versions, uptime, memory and the workers.",
        SystemState,
        tag="system",
    ),
    Route(
        "POST",
        "/system/doctor",
        doctor,
        "Run the doctor's checks in the running proxy; they change nothing.",
        CheckFindings,
        body=Examination,
        tag="system",
    ),
)
