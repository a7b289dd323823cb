"""Who is told of news, and when."""

import asyncio

from gemproxy.resume.news import News


async def test_a_few_are_woken_in_the_call_that_has_the_news() -> None:
    news, woken = News(), list[int]()
    removes = [news.add(lambda number=number: woken.append(number)) for number in range(3)]  # type: ignore[misc]

    news.tell()
    removes[1]()
    news.tell()

    assert woken == [0, 1, 2, 0, 2]


async def test_a_crowd_is_woken_together_for_many_news() -> None:
    news, woken, all_of_them = News(), list[int](), asyncio.Event()

    def wake() -> None:
        woken.append(1)
        if len(woken) == 50:
            all_of_them.set()

    for _ in range(50):
        news.add(wake)
    for _ in range(100):
        news.tell()
    assert woken == []

    await all_of_them.wait()

    assert len(woken) == 50


async def test_the_end_does_not_wait() -> None:
    news, woken = News(), list[int]()
    for _ in range(50):
        news.add(lambda: woken.append(1))
    news.tell()

    news.tell_now()

    assert len(woken) == 50
    await asyncio.sleep(0)


async def test_a_change_is_awaited() -> None:
    news = News()
    waiting = asyncio.ensure_future(news.change())
    await asyncio.sleep(0)
    assert not waiting.done()

    news.tell()
    news.tell()

    await waiting
