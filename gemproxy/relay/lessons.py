"""The form of continuation that each model accepts.

If a model refuses the form of a continuation (a 400 in known words, see ``core.repair.forms``), the
next one is used; if the model accepts that, its later streams begin with it. Forms that were
reached otherwise are not remembered. A fixed list of model names would be out of date, because
aliases such as ``-latest`` move. A restart forgets everything, because models improve.
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
        """Return the form that this model last accepted; the first form by default."""
        return self._forms.get(model, Form.ECHO)

    def learn(self, model: str, form: Form) -> None:
        """Remember the form that a model accepted; forget the oldest of many models."""
        self._forms[model] = form
        self._forms.move_to_end(model)
        if len(self._forms) > _MODELS:
            self._forms.popitem(last=False)
