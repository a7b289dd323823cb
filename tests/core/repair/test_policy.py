"""The operator's choices for one request."""

from gemproxy.core.repair.continuation import Form
from gemproxy.core.repair.policy import Policy


def test_a_request_that_changes_nothing_has_the_operators_own_policy() -> None:
    policy = Policy()

    assert policy.for_request(repair=True) is policy


def test_a_request_can_switch_repair_off_but_not_on() -> None:
    assert not Policy().for_request(repair=False).repair
    assert not Policy(repair=False).for_request(repair=True).repair


def test_a_dialect_names_the_endings_that_it_has_no_word_for() -> None:
    failures = frozenset({"MALFORMED_RESPONSE"})
    policy = Policy().for_request(repair=True, first_form=Form.ECHO, failures=failures)

    assert policy.failures == failures
