"""What is read of the process."""

from gemproxy import __version__
from gemproxy.metrics import families
from gemproxy.metrics.readings import LoopLag, Process, build


def test_the_process_has_figures() -> None:
    found = {(family.name, labels): value for family, labels, value in Process()()}

    assert found["process_resident_memory_bytes", ()] > 1 << 20
    assert found["process_cpu_seconds", ()] > 0
    assert found["process_open_fds", ()] > 2
    assert ("python_gc_collections", ("0",)) in found


def test_the_build_has_its_version() -> None:
    ((family, labels, value),) = build()

    assert family is families.BUILD_INFO
    assert labels[0] == __version__
    assert value == 1


async def test_the_longest_delay_of_the_last_seconds_is_told() -> None:
    lag = LoopLag()
    lag.start()
    lag.stop()
    for late in (0.1, 2.0, 0.3):
        lag.take(late)

    assert list(lag()) == [(families.LOOP_LAG, (), 2.0)]
    for _ in range(60):
        lag.take(0.1)
    assert list(lag()) == [(families.LOOP_LAG, (), 0.1)]
