"""The demo's stage: real sockets, every fault, and a proxy that can be used."""

from gemproxy.demo.stage import FAULTS, Repair, open_stage
from gemproxy.demo.verdict import judge


async def test_every_fault_is_repaired_and_the_text_is_exact() -> None:
    repairs: list[Repair] = []
    async with open_stage(0, seed=3, pace=0.0, repaired=repairs.append) as stage:
        received = b"".join([data async for data in stage.stream("Tell me.")])
        verdict = judge(received, stage.uncut_text, stage.attempts)

    assert verdict.exact, verdict
    assert [repair.fault for repair in repairs] == list(FAULTS)
    assert verdict.attempts == len(FAULTS) + 1


async def test_each_new_prompt_and_each_repeated_one_breaks_again() -> None:
    repairs: list[Repair] = []
    async with open_stage(0, seed=3, pace=0.0, repaired=repairs.append) as stage:
        for prompt in ("one", "two", "one"):
            received = b"".join([data async for data in stage.stream(prompt)])
            assert judge(received, stage.uncut_text, stage.attempts).exact

    assert len(repairs) == 3 * len(FAULTS)


async def test_a_taken_port_is_no_obstacle() -> None:
    async with (
        open_stage(0, seed=1, pace=0.0, repaired=lambda _: None) as first,
        open_stage(
            int(first.proxy_url.rpartition(":")[2]), seed=1, pace=0.0, repaired=lambda _: None
        ) as second,
    ):
        assert first.proxy_url != second.proxy_url
