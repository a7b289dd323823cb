"""What an access key may use: the values that the command and the admin API have in common."""

import pytest

from gemproxy.accounts.user import NANO, Kind, Limit
from gemproxy.metering.permits import Amount, Unfit, amount_of, each_once, limits_of, models_of


def test_changes_replace_limits_of_the_same_kind_and_model() -> None:
    present = [Limit(Kind.RPM, 1), Limit(Kind.RPM, 2, "m"), Limit(Kind.TPM, 3, "m", shadow=True)]
    changes = [
        amount_of(Kind.RPM, "", None),
        amount_of(Kind.RPM, "M", "5", shadow=True),
        amount_of(Kind.USD_PER_DAY, "", "1", shadow=True),
    ]

    assert limits_of(present, changes) == [
        Limit(Kind.RPM, 5, "M", shadow=True),
        Limit(Kind.TPM, 3, "m", shadow=True),
        Limit(Kind.USD_PER_DAY, NANO, shadow=True),
    ]
    assert limits_of(present, []) == present


def test_a_limit_of_one_model_is_changed_once() -> None:
    with pytest.raises(Unfit, match="is given twice for M"):
        each_once([Amount(Kind.RPM, "m", 1), Amount(Kind.RPM, "M", None)])


def test_a_name_has_no_comma() -> None:
    with pytest.raises(Unfit, match="is not the name of a model"):
        models_of(["a,b"])
