"""The pool at a glance: its projects, what each model has had of them today, and where they rest.

A day is Google's: it begins at midnight in Los Angeles, when quotas of a day begin anew.
"""

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from gemproxy.admin.keys import KeyRest, rest_of, ring_of
from gemproxy.admin.route import Call, Form, Route
from gemproxy.pool.key import Project
from gemproxy.pool.pacific import day_of
from gemproxy.pool.standing import Standing

Limits = Mapping[str, int]
"""Model -> the known limit of a day."""

Some = Literal["busy", "resting", "down"]
"""Some of the projects: those with requests today or a rest, those with a rest, and those of which
no key serves.
"""


class ProjectsQuery(Form, frozen=True):
    """Which projects are wanted, and how many."""

    find: Annotated[
        str, msgspec.Meta(description="Only projects whose name contains this", max_length=100)
    ] = ""
    only: Annotated[
        Some | None,
        msgspec.Meta(
            description="Only projects that are busy (with requests today, or a rest), that rest"
            " for a model, or that are down (none of their keys is well and enabled)"
        ),
    ] = None
    cursor: Annotated[str, msgspec.Meta(description="`next` of the page before")] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000, description="Most projects")] = 1000


class ProjectModel(Form, frozen=True):
    """What a model has had of a project today."""

    model: Annotated[str, msgspec.Meta(description="The model")]
    requests: Annotated[
        int, msgspec.Meta(description="Its requests of this day, those that run included")
    ]
    limit: Annotated[
        int | None, msgspec.Meta(description="The known limit of a day; null where there is none")
    ]


class ProjectView(Form, frozen=True):
    """A Google project with keys in the pool."""

    name: Annotated[str, msgspec.Meta(description="Its name; that of its key if nobody named it")]
    weight: Annotated[float, msgspec.Meta(description="Its share by the strategy weighted")]
    keys: Annotated[list[str], msgspec.Meta(description="The fingerprints of its keys")]
    well: Annotated[int, msgspec.Meta(description="How many of its keys are not sick")]
    enabled: Annotated[int, msgspec.Meta(description="How many of its keys are not disabled")]
    able: Annotated[int, msgspec.Meta(description="How many of its keys are neither")]
    rests: Annotated[list[KeyRest], msgspec.Meta(description="The models for which it rests now")]
    models: Annotated[
        list[ProjectModel], msgspec.Meta(description="The models that have used it today")
    ]


class ProjectList(Form, frozen=True):
    """Projects of the pool."""

    projects: Annotated[list[ProjectView], msgspec.Meta(description="The projects by name")]
    models: Annotated[
        list[str],
        msgspec.Meta(
            description="The models that are used today or for which a project rests, the most"
            " used one first, of all projects"
        ),
    ]
    most: Annotated[
        int, msgspec.Meta(description="The most requests of a model in one project, of all")
    ]
    day: Annotated[dt.date, msgspec.Meta(description="Google's day, of which requests count")]
    day_ends: Annotated[dt.datetime, msgspec.Meta(description="When that day ends")]
    next: Annotated[
        str | None, msgspec.Meta(description="The cursor of the page behind; null at the end")
    ]


class PoolState(Form, frozen=True):
    """The pool at a glance."""

    strategy: Annotated[str, msgspec.Meta(description="How the pool chooses a project")]
    projects: Annotated[int, msgspec.Meta(description="How many projects there are")]
    keys: Annotated[int, msgspec.Meta(description="How many keys there are")]
    available: Annotated[int, msgspec.Meta(description="How many can serve some model now")]
    ready: Annotated[int, msgspec.Meta(description="How many are well, and rest for no model")]
    resting: Annotated[int, msgspec.Meta(description="How many are well, and rest for a model")]
    sick: Annotated[int, msgspec.Meta(description="How many are sick and not disabled")]
    disabled: Annotated[int, msgspec.Meta(description="How many are disabled")]
    causes: Annotated[dict[str, int], msgspec.Meta(description="How many are sick, by the cause")]


async def pool(call: Call[Any, Any]) -> PoolState:
    """Return the pool at a glance. Raises Unrouted without a pool."""
    ring = ring_of(call)
    standings = ring.standings()
    states = Counter(one.kind for one in standings)
    return PoolState(
        strategy=ring.keeper.pool.strategy,
        projects=len(ring.projects),
        keys=len(standings),
        available=ring.available(),
        ready=states["ready"],
        resting=states["resting"],
        sick=states["sick"],
        disabled=states["disabled"],
        causes=dict(Counter(one.why.value for one in standings if one.enabled and one.why)),
    )


async def projects(call: Call[ProjectsQuery, Any]) -> ProjectList:
    """Return a page of the projects. Raises Unrouted without a pool."""
    ring, query = ring_of(call), call.query
    day, spent = day_of(ring.keeper.clock()), ring.spent()
    standings: dict[str, list[Standing]] = {}
    for one in ring.standings():
        standings.setdefault(one.project, []).append(one)
    wanted = [
        one
        for one in sorted(ring.projects, key=lambda one: one.name)
        if one.name > query.cursor
        and query.find.lower() in one.name.lower()
        and _is_one(query.only, standings[one.name], used=one.name in spent)
    ]
    page = wanted[: query.limit]
    limits = {model: limit.rpd for model, limit in ring.keeper.pool.limits.items() if limit.rpd}
    return ProjectList(
        projects=[
            _project(one, standings[one.name], spent.get(one.name, {}), limits) for one in page
        ],
        models=_models(spent, itertools.chain(*standings.values())),
        most=max((one for used in spent.values() for one in used.values()), default=0),
        day=dt.date.fromisoformat(day.name),
        day_ends=dt.datetime.fromtimestamp(day.end, dt.UTC),
        next=page[-1].name if len(wanted) > len(page) else None,
    )


def _is_one(some: Some | None, standings: Sequence[Standing], *, used: bool) -> bool:
    """Return whether a project is one of ``some``."""
    resting = bool(standings[0].rests)
    if some == "down":
        return all(one.state != "well" for one in standings)
    return some is None or resting or (used and some == "busy")


def _project(
    project: Project, standings: Sequence[Standing], spent: Mapping[str, int], limits: Limits
) -> ProjectView:
    return ProjectView(
        name=project.name,
        weight=project.weight,
        keys=[one.key for one in standings],
        well=sum(one.why is None for one in standings),
        enabled=sum(one.enabled for one in standings),
        able=sum(one.state == "well" for one in standings),
        rests=list(map(rest_of, standings[0].rests)),
        models=[
            ProjectModel(model=model, requests=requests, limit=limits.get(model))
            for model, requests in sorted(spent.items())
        ],
    )


def _models(spent: Mapping[str, Mapping[str, int]], standings: Iterable[Standing]) -> list[str]:
    """Return the models of all projects, the most used one first."""
    used = Counter[str]()
    for by_model in spent.values():
        used.update(by_model)
    used.update({rest.model: 0 for one in standings for rest in one.rests if rest.model})
    return sorted(used, key=lambda model: (-used[model], model))


ROUTES = (
    Route("GET", "/pool", pool, "Show the pool at a glance.", PoolState, tag="keys"),
    Route(
        "GET",
        "/projects",
        projects,
        "List the projects of the pool, with their use by model of Google's running day.",
        ProjectList,
        query=ProjectsQuery,
        tag="keys",
    ),
)
