"""The page of pictures that are kept: how many, the last of them, deleting one, sweeping."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gemproxy.admin.images import ImagesQuery, delete, image, images, sweep
from gemproxy.admin.route import Text
from gemproxy.core.errors import Unrouted
from gemproxy.pages.page import Change, Notice, Page, Visit
from gemproxy.pages.rendering import number

_NEWEST = 24
_HOME = "/images"


async def shown(visit: Visit) -> Mapping[str, Any]:
    """Return what is kept, or how keeping pictures is turned on."""
    try:
        state = await visit.ask(images, ImagesQuery(limit=_NEWEST))
    except Unrouted as error:
        return {"missing": error.message}
    return {"missing": "", "state": state, "path_of": _path}


async def seen(visit: Visit) -> Text:
    """Return a picture itself."""
    found: Text = await visit.ask(image)
    return found


async def forget(visit: Visit) -> Notice:
    """Delete a picture."""
    await visit.ask(delete)
    return Notice(_HOME, visit.say("The picture is deleted."))


async def sweep_now(visit: Visit) -> Notice:
    """Delete the pictures that have expired."""
    swept = await visit.ask(sweep)
    said = visit.say("%(count)s expired pictures were deleted.", count=number(swept.deleted))
    return Notice(_HOME, said)


def _path(name: str) -> str:
    return f"{_HOME}/{quote(name, safe='')}"


PAGES = (
    Page(_HOME, "Images", "images.html", shown, in_menu=True),
    Page(f"{_HOME}/{{image}}", "Picture", "", seen),
)
CHANGES = (
    Change(f"{_HOME}/sweep", sweep_now),
    Change(f"{_HOME}/{{image}}/delete", forget),
)
