"""The rules of the house: who may import whom, and that the drawn diagram is the table's."""

import ast
from pathlib import Path

import pytest

from docs.state_diagram import PAGE, page_with_diagram

PACKAGE = Path(__file__).resolve().parent.parent / "gemproxy"
SETTINGS = {"logs", "kinds", "sources", "settings"}
KEYS = {"keys", "inflight", "logs"}

MAY_IMPORT: dict[str, set[str]] = {
    "core": set(),
    "libraries": set(),
    "outbound": set(),
    "logs": {"libraries"},
    "kinds": {"logs", "core"},
    "sources": {"kinds"},
    "tls": set(),
    "settings": {"kinds", "sources", "logs", "core", "outbound", "tls"},
    "relay": {"core"},
    "inflight": {"core"},
    "keys": {"inflight", "relay"},
    "framing": set(),
    "middlewares": {"core", "framing", "relay", "keys", "logs"},
    "cors": {"middlewares"},
    "routes": {"core", "relay", "keys", "logs", "inflight"},
    "app": {
        "core",
        "cors",
        "framing",
        "relay",
        "routes",
        "keys",
        "inflight",
        "middlewares",
        "outbound",
        "settings",
    },
    "server": {"app", "framing", "keys", "logs", "relay", "settings", "inflight", "tls"},
    "chaos": {"core"},
    "demo": {"app", "chaos", "server", "settings"},
    "probe": {"core", "relay", "chaos", "logs", "outbound"},
}
"""Room -> the rooms it may import; ``gemproxy`` itself (its version) is open to all."""

FORBIDDEN_IN_CORE = {"aiohttp", "asyncio", "tenacity", "logging", "time", "random", "os", "socket"}

MODULES = sorted(PACKAGE.rglob("*.py"))


def room(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(module: Path) -> set[str]:
    """Return the dotted names that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(module: Path) -> None:
    here = room(module)
    if here in {"__init__", "__main__"}:
        return
    rooms = {name.split(".")[1] for name in imports(module) if name.startswith("gemproxy.")}

    assert rooms - {here, "__version__"} <= MAY_IMPORT[here]


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) == "core"], ids=lambda m: m.name)
def test_the_heart_does_no_io(module: Path) -> None:
    assert {name.split(".")[0] for name in imports(module)} & FORBIDDEN_IN_CORE == set()


def test_nothing_but_the_loop_stands_on_top_of_the_relay() -> None:
    below = [m for m in MODULES if room(m) == "relay" and m.name != "loop.py"]

    assert not [m.name for m in below if any("relay.loop" in name for name in imports(m))]


def test_only_the_root_and_the_server_see_the_settings() -> None:
    seeing = {room(m) for m in MODULES if any("gemproxy.settings" in n for n in imports(m))}

    assert seeing - {"settings", "__main__"} <= {"app", "server", "demo"}


def test_the_drawn_diagram_is_the_one_of_the_table() -> None:
    page = PAGE.read_text("utf-8")

    assert page == page_with_diagram(page)
