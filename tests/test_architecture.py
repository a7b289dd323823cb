"""The rules of the house: who may import whom, and that the drawn diagram is the table's."""

import ast
import re
from pathlib import Path

import pytest

from docs.state_diagram import PAGE, TABLES, page_with_diagrams

PACKAGE = Path(__file__).resolve().parent.parent / "gemproxy"


def rooms_of_the_page() -> dict[str, set[str]]:
    """Return the table of rooms in ARCHITECTURE.md: room -> the rooms that it may import."""
    table = PAGE.read_text("utf-8").partition("<!-- rooms -->")[2].partition("<!-- /rooms -->")[0]
    rows = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| `")]
    return {name.strip(" `"): set(re.findall("`([^`]+)`", allowed)) for name, _, allowed in rows}


MAY_IMPORT = rooms_of_the_page()
"""``gemproxy`` itself (its version) is open to all, and ``__main__`` may import everything."""

FORBIDDEN_IN_CORE = {"aiohttp", "asyncio", "tenacity", "logging", "time", "random", "os", "socket"}

MODULES = sorted(PACKAGE.rglob("*.py"))


def room(module: Path) -> str:
    folder = module.relative_to(PACKAGE).parent
    return "/".join(folder.parts[: 2 if folder.parts[:1] == ("core",) else 1])


def room_of(name: str) -> str:
    """Return the room of a dotted name below ``gemproxy``."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    while not path.is_dir() and not path.with_suffix(".py").is_file():
        path = path.parent
    return room(path / "_" if path.is_dir() else path)


def may_import(here: str) -> set[str]:
    """Return the rooms that ``here`` may import, itself among them."""
    allowed = MAY_IMPORT[here] | {here, ""}
    inner = {name for name in MAY_IMPORT if name.startswith("core/")}
    return allowed | inner if "core" in allowed and not here.startswith("core") else allowed


def imports(module: Path) -> set[str]:
    """Return the dotted names that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def test_every_room_is_on_the_page() -> None:
    rooms = {room(module) for module in MODULES} - {""}

    assert rooms <= MAY_IMPORT.keys()
    assert set().union(*MAY_IMPORT.values()) <= MAY_IMPORT.keys()


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(module: Path) -> None:
    here = room(module)
    if not here:  # the command line
        return
    rooms = {room_of(name) for name in imports(module) if name.startswith("gemproxy.")}

    assert rooms <= may_import(here)


def test_no_route_imports_another() -> None:
    """A route is a module that the table of routes names; what several share is beside them."""
    folder = PACKAGE / "routes"
    routes = imports(folder / "__init__.py") - {"aiohttp.web"}
    others = set(folder.glob("*.py")) - {folder / "__init__.py"}
    imported = {name for module in others for name in imports(module)}

    assert [name for name in imported if name.startswith(tuple(routes))] == []


@pytest.mark.parametrize(
    "module", [m for m in MODULES if room(m).startswith("core")], ids=lambda m: m.name
)
def test_the_heart_does_no_io(module: Path) -> None:
    assert {name.split(".")[0] for name in imports(module)} & FORBIDDEN_IN_CORE == set()


def test_only_the_root_and_the_server_see_the_settings() -> None:
    seeing = {room(m) for m in MODULES if any("gemproxy.config.settings" in n for n in imports(m))}

    assert seeing <= {"config", "", "web", "demo", "doctor"}


def test_the_drawn_diagrams_are_those_of_the_tables() -> None:
    page = PAGE.read_text("utf-8")

    assert page.count("```mermaid\nstateDiagram") == len(TABLES)
    assert page == page_with_diagrams(page)
