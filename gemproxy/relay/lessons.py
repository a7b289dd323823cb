"""What the models have taught us: which form of continuation each one takes.

A model that answers our continuation with 400 is asked in the next form; when it accepts
that one, its later streams begin there. A list of model names would be out of date: aliases
such as ``-latest`` move. Nothing is kept over a restart, so that a model that has learnt
better gets its chance.
"""

import collections

import attrs

_MODELS = 256


@attrs.define
class Lessons:
    """Model name -> the rung of the continuation ladder to begin with."""

    _forms: collections.OrderedDict[str, int] = attrs.field(factory=collections.OrderedDict)

    def first_form(self, model: str) -> int:
        """Return the rung that this model last accepted, the first one by default."""
        return self._forms.get(model, 0)

    def learn(self, model: str, form: int) -> None:
        """Remember the rung that a model accepted; the oldest of many models is forgotten."""
        self._forms[model] = form
        self._forms.move_to_end(model)
        if len(self._forms) > _MODELS:
            self._forms.popitem(last=False)
