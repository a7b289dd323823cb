"""Chooses the next form of continuation.

Two events lead to another form:

- A *refusal* is a 400 whose words are about the form: the order of turns, a trailing model turn,
  the output limit. The model does not accept this form, so the next one of the ladder becomes the
  usual one. Any other 400 is about the request, and ends the stream with Gemini's reason.
- A *failure* is an answer that does not join: another story, or no new text. At temperature 0 the
  same form would fail again, so ECHO and QUOTED are used in turns. PREFILL is excluded: it is used
  only with models that are known to accept it.

If a form that was chosen after a failure is refused, the usual one follows. Only refusals teach
something: ``lesson`` is a form that was reached by refusals alone.
"""

import re

import attrs

from gemproxy.core.errors import upstream_error
from gemproxy.core.repair.continuation import Form, ladder
from gemproxy.core.repair.request import StreamRequest

_ABOUT_FORM = re.compile(
    r"(model|assistant|user) (turn|role|message)|multi-?turn|alternat|prefill|last (turn|message)"
    r"|max_?output_?tokens|thinking_? ?budget",
    re.IGNORECASE,
)
"""Seen: "Requests ending with a model turn are not supported" (gemini-3.6-flash and later),
"Please ensure that multiturn requests alternate between user and model", "... ends with a user
role or a function response", and limits of maxOutputTokens against the thinking budget."""

_LAST = 2
"""Failures after which no other form is left."""


def is_about_form(body: bytes) -> bool:
    """Return whether the body of a 400 refuses the form of a continuation."""
    error = upstream_error(body) or {}
    return _ABOUT_FORM.search(str(error.get("message", ""))) is not None


@attrs.define
class Forms:
    """The forms of one stream; ``usual`` is the first one, or the one after refusals."""

    request: StreamRequest
    usual: Form
    _first: Form = attrs.field(init=False)
    _failures: int = 0
    _refused: set[Form] = attrs.field(factory=set)

    def __attrs_post_init__(self) -> None:
        self._first = self.usual

    @property
    def present(self) -> Form:
        """The form of the next request."""
        other = Form.ECHO if self.usual is Form.QUOTED else Form.QUOTED
        turn = self._failures % 2 == 1 and self.usual is not Form.PREFILL
        return other if turn and other not in self._refused else self.usual

    @property
    def last(self) -> bool:
        """Whether all other forms have failed, so this one is the last chance."""
        return self._failures >= _LAST

    @property
    def ways(self) -> int:
        """The number of forms that are used in turns."""
        other = Form.ECHO if self.usual is Form.QUOTED else Form.QUOTED
        return 1 if self.usual is Form.PREFILL or other in self._refused else 2

    @property
    def lesson(self) -> Form | None:
        """The form that this model accepts, if refusals have led to another than the first."""
        learnt = self.usual is not self._first and self.present is self.usual
        return self.usual if learnt else None

    def failed(self) -> None:
        """Record that the answer to the present form did not join."""
        self._failures += 1

    def refused(self, body: bytes) -> bool:
        """Record a 400 to the present form; return whether another form is left."""
        if self.present is not self.usual:
            self._refused.add(self.present)
            return True
        if not is_about_form(body):
            return False
        forms = ladder(self.request)
        later = [form for form in forms if _place(form) > _place(self.usual)]
        untried = [form for form in later if form not in self._refused]
        if untried:
            self._refused.add(self.usual)
            self.usual = untried[0]
        return bool(untried)


def _place(form: Form) -> int:
    return list(Form).index(form)
