"""What the models have taught us: which form of continuation each one takes.

A model that refuses the form of a continuation (a 400 in known words, see ``core.repair.forms``) is
asked in the next one; when it accepts that, its later streams begin there. Nothing is learnt from
a form that was reached otherwise. A list of model names would be out of date: aliases
such as ``-latest`` move. Nothing is kept over a restart, so that a model that has learnt
better gets its chance.
"""

import collections

import attrs

from gemproxy.core.repair.continuation import Form

_MODELS = 256


@attrs.define
class Lessons:
    """Model name -> the form of continuation to begin with."""

    _forms: collections.OrderedDict[str, Form] = attrs.field(factory=collections.OrderedDict)

    def first_form(self, model: str) -> Form:
        """Return the form that this model last accepted, the first one by default."""
        return self._forms.get(model, Form.ECHO)

    def learn(self, model: str, form: Form) -> None:
        """Remember the form that a model accepted; the oldest of many models is forgotten."""
        self._forms[model] = form
        self._forms.move_to_end(model)
        if len(self._forms) > _MODELS:
            self._forms.popitem(last=False)
