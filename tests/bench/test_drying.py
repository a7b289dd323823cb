"""The program that shows how the last project runs dry: its figures, and one short run."""

import pytest

from bench.drying import TEXT, Client, End, Story, happen, report


def story(*clients: Client, room: float = 61.0) -> Story:
    return Story(clients, ((0.1, True), (0.2, False), (1.5, False)), room)


def test_each_second_is_a_line() -> None:
    told = story(
        Client(0.1, 1.4, End.WHOLE),
        Client(0.2, 1.9, End.LOUD),
        Client(2.0, 2.5, End.REFUSED, status=429, wait=59.0),
    )
    _, *lines = [line.split() for line in told.table.splitlines()]

    assert lines == [
        ["0", "2", "1", "1", "0", "0", "0", "-"],
        ["1", "0", "1", "0", "1", "1", "0", "-"],
        ["2", "0", "0", "0", "0", "0", "1", "59", "to", "59", "s"],
    ]
    assert told.faults == []


@pytest.mark.parametrize(
    "client",
    [
        Client(0, 1, End.SILENT),
        Client(0, 1, End.OTHER, status=500),
        Client(0, 1, End.REFUSED, status=429),
        Client(0, 1, End.REFUSED, status=429, wait=5),
        Client(0, 1, End.LOUD, wait=90),
    ],
    ids=["silent", "other", "no wait", "too short", "too long"],
)
def test_what_no_client_should_see_is_a_fault(client: Client) -> None:
    assert len(story(client).faults) == 1
    assert "FAULT" in report(story(client))


async def test_every_client_ends_exactly_or_loudly() -> None:
    told = await happen(clients=30, limit=40)

    assert {client.how for client in told.clients} <= {End.WHOLE, End.LOUD, End.REFUSED}
    assert {client.text for client in told.clients if client.how is End.WHOLE} == {TEXT}
    assert all(client.wait for client in told.clients if client.how is End.REFUSED)
