"""Which models a user may call.

A list of models has exact names, as ``accounts.models`` compares them; a ``*`` at the end stands
for any rest, as in ``gemini-2.5-*``.
"""

from gemproxy.accounts.models import plain
from gemproxy.accounts.user import User
from gemproxy.core.errors import Forbidden

_LONGEST = 100
"""Characters of a model's name that an error shows."""


def may_call(user: User, model: str) -> bool:
    """Return whether a user may call a model."""
    if not user.models:
        return True
    name = plain(model)
    return bool(name) and any(_is(name, plain(allowed)) for allowed in user.models)


def require(user: User, model: str) -> None:
    """Raise Forbidden if a user may not call a model, also if ``model`` is empty."""
    if may_call(user, model):
        return
    name = plain(model)[:_LONGEST]
    what = f"may not call the model {name}" if name else "may call some models only"
    none = "" if name else ", and the request names none"
    allowed = ", ".join(user.models)
    raise Forbidden(f"The access key of {user.name} {what}{none}. It may call: {allowed}.")


def _is(name: str, allowed: str) -> bool:
    return name.startswith(allowed[:-1]) if allowed.endswith("*") else name == allowed
