"""Google's words for a refusal."""

from gemproxy.chaos.refusals import (
    BARE_QUOTA,
    BILLING,
    INVALID,
    LOCATION,
    absent,
    no_file,
    quota,
    requests_by_day,
    requests_by_minute,
    suspended,
)


def test_a_quota_error_has_all_that_googles_has() -> None:
    exceeded = requests_by_minute("gemini-x", 5), requests_by_day("gemini-x", 20)
    refusal = quota(*exceeded, delay=20.04)

    links, failure, retry = refusal.details
    assert (refusal.status, refusal.code) == (429, "RESOURCE_EXHAUSTED")
    assert links["@type"].endswith("Help")
    assert [one["quotaValue"] for one in failure["violations"]] == ["5", "20"]
    assert failure["violations"][0]["quotaDimensions"]["model"] == "gemini-x"
    assert retry["retryDelay"] == "20.04s"
    assert "generate_content_free_tier_requests, limit: 5, model: gemini-x" in refusal.message
    assert refusal.message.endswith("Please retry in 20.04s.")


def test_a_delay_may_stand_in_the_message_alone() -> None:
    refusal = quota(requests_by_minute("gemini-x"), delay=8.5, retry_info=False)

    assert refusal.message.endswith("Please retry in 8.5s.")
    assert len(refusal.details) == 2


def test_an_absent_model_has_four_quotas_of_0() -> None:
    (_, failure, _) = absent("gemini-x").details
    assert [one["quotaValue"] for one in failure["violations"]] == ["0"] * 4

    without = absent("gemini-x", values=False)
    assert all("quotaValue" not in one for one in without.details[1]["violations"])
    assert without.message.count("limit: 0") == 4


def test_refusals_have_googles_codes() -> None:
    assert INVALID.code == "INVALID_ARGUMENT"
    assert INVALID.details[0]["reason"] == "API_KEY_INVALID"
    assert LOCATION.code == BILLING.code == "FAILED_PRECONDITION"
    assert BARE_QUOTA.details == ()
    assert "api_key:AIza" in suspended("AIza").message
    assert no_file("x").message.startswith("You do not have permission to access the File x")
