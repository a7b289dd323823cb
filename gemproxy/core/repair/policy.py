"""The operator's choices, as plain values for the machine."""

import attrs

from gemproxy.core.repair.continuation import Form
from gemproxy.core.repair.verdict import FinishTable


@attrs.frozen
class Policy:
    """The operator's choices.

    ``retry_after_limit`` is in seconds. ``max_extra_tokens`` limits the tokens that repair may cost
    in one stream; None means no limit. ``first_form`` is the first form of continuation, for models
    that refuse the ones before it. ``failures`` are finishReasons for which the client's dialect
    has no word: an answer that ends so at last fails.
    """

    repair: bool = True
    finish: FinishTable = attrs.field(factory=FinishTable)
    swallow_thoughts: bool = True
    hold_calls: bool = True
    empty_stop_retries: int = 2
    bad_finish_replays: int = 2
    retry_after_limit: float = 30.0
    max_extra_tokens: int | None = None
    first_form: Form = Form.ECHO
    failures: frozenset[str] = frozenset()

    def for_request(
        self,
        *,
        repair: bool,
        first_form: Form = Form.ECHO,
        failures: frozenset[str] = frozenset(),
    ) -> "Policy":
        """Return the policy of one request, which may change this one."""
        repair = repair and self.repair
        own = (self.repair, self.first_form, self.failures)
        if (repair, first_form, failures) == own:
            return self
        return attrs.evolve(self, repair=repair, first_form=first_form, failures=failures)
