"""Chromium for the tests of this folder, axe-core, and a proxy at work.

All of them run on one event loop, because a browser and a proxy are made once for each process of
the tests. What a test changes happens in a proxy of its own.
"""

import fcntl
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.browser.chromium import MISSING, provide
from tests.browser.links import addresses_of
from tests.browser.tab import AXE, DESKTOP, NEWS, Tab, new_tab
from tests.browser.world import World, busy_world

HERE = Path(__file__).parent
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


class OpenTab(Protocol):
    """Opens a tab of a reader who has signed in, unless ``stranger``."""

    async def __call__(
        self,
        place: World,
        /,
        *,
        language: str = "en",
        theme: str = "light",
        size: tuple[int, int] = DESKTOP,
        stranger: bool = False,
        scripts: bool = True,
    ) -> Tab: ...


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium; skip where there is none and none can be installed."""
    path = provide()
    if path is None:
        pytest.skip(MISSING)
    return path


@pytest.fixture(scope="session")
def axe() -> None:
    """Install axe-core as the lock names it; skip where there is no npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm on the PATH: the pages were NOT tried with axe-core")
    with (HERE / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stands = HERE / "node_modules" / ".package-lock.json"
        if stands.exists() and stands.stat().st_mtime >= Path(lock.name).stat().st_mtime:
            return
        done = subprocess.run([npm, "ci"], cwd=HERE, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"npm ci failed in tests/browser:\n{done.stderr}")
    assert AXE.exists()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """Return a browser without a window."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_tab(browser: Browser) -> AsyncIterator[OpenTab]:
    """Open tabs; at the end of the test none may have had anything to complain about."""
    opened: list[Tab] = []

    async def start(
        place: World,
        /,
        *,
        language: str = "en",
        theme: str = "light",
        size: tuple[int, int] = DESKTOP,
        stranger: bool = False,
        scripts: bool = True,
    ) -> Tab:
        context = await browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            locale={"en": "en-US", "zh": "zh-CN"}[language],
            color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce",
            java_script_enabled=scripts,
        )
        kept = {} if stranger else place.session.cookies
        await context.add_cookies(
            [{"name": name, "value": value, "url": place.proxy.url} for name, value in kept.items()]
        )
        await context.add_init_script(NEWS)
        tab = await new_tab(context, place.proxy)
        opened.append(tab)
        return tab

    yield start
    for tab in opened:
        await tab.page.context.close()
    assert [complaint for tab in opened for complaint in tab.complaints] == []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def busy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Return a proxy at work, which tests only look at."""
    async with busy_world(tmp_path_factory.mktemp("busy")) as made:
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def addresses(busy: World) -> dict[str, str]:
    """Return a path for each page by its row's path."""
    return await addresses_of(busy.session)
