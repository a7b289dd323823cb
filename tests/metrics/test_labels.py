"""Labels have few values, whatever clients and upstreams say."""

from gemproxy.core.repair.verdict import POLICY_REASONS
from gemproxy.metrics.labels import CODES, REASONS, KeyLabels, ModelLabels


def test_a_model_that_nobody_knows_is_other() -> None:
    models = ModelLabels({"gemini-2.5-flash": "gemini-2.5-flash"}.get)

    assert models.of("gemini-2.5-flash") == "gemini-2.5-flash"
    assert models.of("models/gemini-2.5-flash") == "gemini-2.5-flash"
    assert models.of("invented") == "other"
    assert models.of(None) == models.of("") == "none"


def test_many_invented_models_are_other_and_are_not_all_remembered() -> None:
    models = ModelLabels({"known": "known"}.get)

    assert {models.of(f"invented-{number}") for number in range(5000)} == {"other"}
    assert models.of("known") == "known"
    assert models.of(None) == "none"


def test_keys_have_labels_up_to_a_number() -> None:
    keys = KeyLabels()
    labels = {keys.of(f"{number:08x}") for number in range(5000)}

    assert keys.of("") == "client"
    assert len(labels) < 600
    assert "other" in labels
    assert keys.of("00000001") == "00000001"


def test_statuses_and_reasons_are_those_that_exist() -> None:
    assert CODES[200] == "200"
    assert CODES[499] == "499"
    assert CODES.get(299) is None
    assert REASONS[None] == "none"
    assert set(REASONS) >= {"STOP", "MAX_TOKENS", *POLICY_REASONS}
