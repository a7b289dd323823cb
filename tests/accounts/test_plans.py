"""What a request is counted in, and the limits that it is under."""

from gemproxy.accounts.calendar import Calendar
from gemproxy.accounts.plans import MODELS, Account
from gemproxy.accounts.user import Kind, Limit, User

DAY = Calendar().day(1_795_867_200.0)


def ann(*limits: Limit) -> User:
    return User("123456789012", "ann", limits)


def test_a_request_is_counted_for_all_models_and_for_its_own() -> None:
    account = Account()

    plan = account.plan(ann(), "models/gemini-x", DAY)

    assert plan.tallies == (account.tallies[""], account.tallies["gemini-x"])
    assert (plan.gauges, plan.rates) == ((), ())


def test_a_limit_of_another_model_does_not_concern_a_request() -> None:
    of_all, of_x = Limit(Kind.RPM, 5), Limit(Kind.TPM, 5, "models/gemini-x")
    account, user = Account(), ann(of_all, of_x)

    x, y = account.plan(user, "gemini-x", DAY), account.plan(user, "gemini-y", DAY)

    assert [gauge.limit for gauge in x.gauges] == [of_all, of_x]
    assert [gauge.tally for gauge in x.gauges] == [account.tallies[""], account.tallies["gemini-x"]]
    assert [gauge.limit for gauge in y.gauges] == [of_all]


def test_the_plan_stays_until_the_limits_change() -> None:
    account, limit = Account(), Limit(Kind.RPM, 5)
    first = account.plan(ann(limit), "gemini-x", DAY)

    same = account.plan(ann(Limit(Kind.RPM, 5)), "gemini-x", DAY)
    changed = account.plan(ann(Limit(Kind.RPM, 6)), "gemini-x", DAY)

    assert same is first
    assert changed.gauges[0].limit.amount == 6
    assert changed.tallies == first.tallies


def test_of_several_limits_for_each_address_that_count_the_same_the_smallest_holds() -> None:
    shadow = Limit(Kind.PER_IP_RPM, 1, shadow=True)
    user = ann(Limit(Kind.PER_IP_RPM, 9), Limit(Kind.PER_IP_RPM, 3), shadow)

    plan = Account().plan(user, "gemini-x", DAY)

    assert [rate.limit for rate in plan.rates] == [Limit(Kind.PER_IP_RPM, 3), shadow]


def test_models_that_nobody_limits_are_counted_singly_up_to_an_end() -> None:
    account = Account()
    for number in range(MODELS + 50):
        account.plan(ann(), f"model-{number}", DAY)

    plan = account.plan(ann(Limit(Kind.RPD, 1, "last")), "last", DAY)

    assert len(account.tallies) == MODELS + 2
    assert plan.tallies[1] is account.tallies["last"]
