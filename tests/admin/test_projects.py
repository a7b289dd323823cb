"""The pool at a glance, by the admin API over sockets."""

from pathlib import Path

from gemproxy.pool.key import Limits, fingerprint
from gemproxy.pool.pool import Outcome, Pick, Wish
from gemproxy.web.pooling import POOL
from tests.admin.test_keys import ANN, BASE, CANARY, GIVEN, ask, served

LEAKED = {"code": 403, "status": "PERMISSION_DENIED", "message": "Your API key was leaked."}


async def test_projects_have_their_use_by_model_and_their_rests(tmp_path: Path) -> None:
    limits = {"gemini-test": Limits(rpd=20)}
    async with served(tmp_path, limits=limits) as (proxy, _):
        await ask(proxy, "POST", f"{BASE}/keys", {"key": CANARY, "project": "added"}, 201)
        for _ in range(3):
            await proxy.ask(headers={"x-goog-api-key": ANN})
        listed = await ask(proxy, "GET", f"{BASE}/projects")
        page = await ask(proxy, "GET", f"{BASE}/projects?limit=1")
        rest = await ask(proxy, "GET", f"{BASE}/projects?limit=1&cursor={page['next']}")
        found = await ask(proxy, "GET", f"{BASE}/projects?find=GIV")

    (model,) = listed["models"]
    used = [one["models"] for one in listed["projects"]]
    assert sorted(cell["requests"] for cells in used for cell in cells) == [1, 2]
    assert {cell["model"] for cells in used for cell in cells} == {model}
    assert {cell["limit"] for cells in used for cell in cells} == {limits[model].rpd}
    assert listed["most"] == 2
    assert listed["day_ends"] > listed["day"]
    assert (page["next"], rest["next"]) == ("added", None)
    assert [one["name"] for one in rest["projects"]] == ["given"]
    assert [one["name"] for one in found["projects"]] == ["given"]
    assert (rest["projects"][0]["enabled"], rest["projects"][0]["able"]) == (1, 1)


async def test_the_pool_is_shown_at_a_glance(tmp_path: Path) -> None:
    async with served(tmp_path) as (proxy, _):
        for key, project in ((CANARY, "added"), ("AIzaSyOther", "other")):
            await ask(proxy, "POST", f"{BASE}/keys", {"key": key, "project": project}, 201)
        pool, now = proxy.app[POOL], 4_000_000_000.0
        quota = {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "quota"}
        for project, outcome in (("given", Outcome(429, quota)), ("added", Outcome(403, LEAKED))):
            pick = pool.pick(Wish("m", project), now)
            assert isinstance(pick, Pick)
            pool.over(pick, outcome, now)
        before = await ask(proxy, "GET", f"{BASE}/pool")
        await ask(proxy, "PATCH", f"{BASE}/keys/{fingerprint(CANARY)}", {"enabled": False})
        after = await ask(proxy, "GET", f"{BASE}/pool")
        listed = await ask(proxy, "GET", f"{BASE}/projects")
        some = [
            await ask(proxy, "GET", f"{BASE}/projects?only={only}")
            for only in ("busy", "resting", "down")
        ]

    counts = {"keys": 3, "projects": 3, "ready": 1, "resting": 1, "strategy": "least_used"}
    assert before == {
        **counts,
        "available": 1,
        "sick": 1,
        "disabled": 0,
        "causes": {"leaked": 1},
    }
    assert after == {**before, "sick": 0, "disabled": 1, "causes": {}}
    assert listed["models"] == ["m"]
    names = [[one["name"] for one in page["projects"]] for page in some]
    assert names == [["added", "given"], ["given"], ["added"]]
    assert GIVEN not in str(listed)
