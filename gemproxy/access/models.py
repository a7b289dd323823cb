"""Which models a user may call.

A list of models has exact names, with or without ``models/``; a ``*`` at the end stands for any
rest, as in ``gemini-2.5-*``.
"""

from gemproxy.accounts.user import User
from gemproxy.core.errors import Forbidden

_PREFIX = "models/"


def may_call(user: User, model: str) -> bool:
    """Return whether a user may call a model."""
    if not user.models:
        return True
    name = model.removeprefix(_PREFIX)
    return any(_is(name, allowed.removeprefix(_PREFIX)) for allowed in user.models)


def require(user: User, model: str) -> None:
    """Raise Forbidden if a user may not call a model, also if ``model`` is empty."""
    if may_call(user, model):
        return
    allowed = ", ".join(user.models)
    name = model.removeprefix(_PREFIX)
    what = f"may not call the model {name}" if name else "may call some models only"
    none = "" if name else ", and the request names none"
    raise Forbidden(f"The access key of {user.name} {what}{none}. It may call: {allowed}.")


def _is(name: str, allowed: str) -> bool:
    if allowed.endswith("*"):
        return bool(name) and name.startswith(allowed[:-1])
    return name == allowed
