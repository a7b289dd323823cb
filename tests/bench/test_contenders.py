"""The proxies that are compared: the real ones start, and the load goes through."""

import os
import re
import shutil
from pathlib import Path

import attrs
import pytest

from bench.contenders import CONTENDERS, GEMPROXY, OTHERS, PEERS, NoAnswer, Site, run
from bench.programs import compile_programs
from bench.scenarios import SCENARIOS
from bench.system import Cores

ANYWHERE = frozenset(os.sched_getaffinity(0))
BY_NAME = {one.name: one for one in (*CONTENDERS, *OTHERS)}
_OURS = ["gemproxy", "uncounted", "pooled", "metered", "traced", "keyed", "chat"]


def test_only_a_proxy_that_repairs_gets_cut_streams() -> None:
    cut, whole = SCENARIOS["S7"], SCENARIOS["S1b"]

    assert [one.name for one in BY_NAME.values() if one.can_run(cut)] == _OURS
    assert all(one.can_run(whole) for one in BY_NAME.values())


def test_two_cores_are_for_those_who_can_use_them() -> None:
    runs = {one.name for one in BY_NAME.values() if one.can_run(SCENARIOS["S2W"])}

    assert runs == {"nginx", *_OURS}


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_chats_are_streams_of_text(name: str) -> None:
    scenario = SCENARIOS[name]

    plain = scenario.events and not scenario.big_bytes and not scenario.body_bytes
    assert BY_NAME["chat"].can_run(scenario) == bool(plain)


def test_nginx_is_told_where_everything_is(tmp_path: Path) -> None:
    BY_NAME["nginx"].command(Site(1234, 5678, 2, tmp_path))

    conf = (tmp_path / "nginx.conf").read_text()
    assert "listen 127.0.0.1:1234 " in conf
    assert "server 127.0.0.1:5678;" in conf
    assert "worker_processes 2;" in conf
    assert "$" not in conf


def test_the_peers_are_pinned_by_hash_and_no_host_is_named() -> None:
    pattern = re.compile(r"\S+==.+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?| +#.*")
    lines = (PEERS / "requirements.txt").read_text().splitlines()

    assert [line for line in lines if not pattern.fullmatch(line)] == []
    assert not [line for line in lines if "://" in line]


@pytest.mark.skipif(
    shutil.which("cc") is None, reason="NO C COMPILER (cc): no load for the proxies"
)
@pytest.mark.parametrize("name", ["gemproxy", "pipe"])
@pytest.mark.parametrize("load", ["S1b", "S4"])
def test_answers_come_whole_through_a_proxy(tmp_path: Path, name: str, load: str) -> None:
    programs = compile_programs(tmp_path, Cores(ANYWHERE, ANYWHERE, ANYWHERE))
    scenario = attrs.evolve(SCENARIOS[load], connections=4)

    with (
        programs.upstream(scenario, 200_000) as upstream_port,
        run(BY_NAME[name], upstream_port, frozenset({min(ANYWHERE)})) as proxy,
    ):
        report = programs.run_clients(scenario, 200_000, port=proxy.port)

    assert report["good"] > 0
    assert report["bad"] == 0


@pytest.mark.skipif(
    shutil.which("cc") is None, reason="NO C COMPILER (cc): no load for the proxies"
)
def test_a_stream_that_is_cut_comes_whole_through_gemproxy(tmp_path: Path) -> None:
    programs = compile_programs(tmp_path, Cores(ANYWHERE, ANYWHERE, ANYWHERE))
    scenario = attrs.evolve(SCENARIOS["S7"], connections=4)

    with (
        programs.upstream(scenario, 200_000) as upstream_port,
        run(GEMPROXY, upstream_port, frozenset({min(ANYWHERE)})) as proxy,
    ):
        report = programs.run_clients(scenario, 200_000, port=proxy.port)

    assert report["good"] > 0
    assert report["bad"] == 0


def test_a_proxy_that_does_not_answer_is_reported_with_its_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bench.contenders._START_SECONDS", 0.05)
    broken = attrs.evolve(GEMPROXY, command=lambda _: ["sh", "-c", "echo no such proxy"])

    with (
        pytest.raises(NoAnswer, match=r"gemproxy did not answer within 0\.05 s"),
        run(broken, 1, ANYWHERE),
    ):
        pass
