"""The credential: one of many, and in which form it goes up."""

import pytest
from multidict import CIMultiDict

from gemproxy.exchange.credential import (
    Credential,
    brought,
    choose_credential,
    in_path,
    is_api_key,
    is_googles,
)


@pytest.mark.parametrize(
    ("headers", "in_query", "expected"),
    [
        ({}, None, None),
        ({"X-Goog-Api-Key": "k"}, None, ("x-goog-api-key", "k")),
        ({"x-goog-api-key": "k", "Authorization": "Bearer ya29.t"}, "q", ("x-goog-api-key", "k")),
        ({}, "q", ("x-goog-api-key", "q")),
        ({"Authorization": "Bearer AIzaTest"}, None, ("x-goog-api-key", "AIzaTest")),
        ({"Authorization": "bearer  AQ.test"}, None, ("x-goog-api-key", "AQ.test")),
        ({"Authorization": "Bearer AIzaTest"}, "q", ("x-goog-api-key", "q")),
        ({"Authorization": "Bearer ya29.t"}, "q", ("Authorization", "Bearer ya29.t")),
        ({"Authorization": "Bearer ey.j.w"}, None, ("Authorization", "Bearer ey.j.w")),
        ({"Authorization": "Token auth_tokens/t"}, None, ("Authorization", "Token auth_tokens/t")),
        ({"Authorization": "Basic dGVzdA=="}, None, ("Authorization", "Basic dGVzdA==")),
        ({"Authorization": "Basic dGVzdA=="}, "q", ("x-goog-api-key", "q")),
        ({"Authorization": "Bearer"}, None, None),
        ({"x-goog-api-key": " "}, None, None),
    ],
)
def test_one_credential_is_chosen(
    headers: dict[str, str], in_query: str | None, expected: tuple[str, str] | None
) -> None:
    query = Credential.api_key(in_query) if in_query else None

    chosen = choose_credential(CIMultiDict(headers), query)

    assert expected == (chosen and (chosen.header, chosen.value))


def test_the_openai_routes_take_a_key_as_bearer_and_the_others_do_not() -> None:
    key = Credential.api_key("k")

    assert Credential("Authorization", "Bearer k") == key.for_path("/v1beta/openai/models")
    assert key == key.for_path("/v1beta/models")


def test_an_oauth_token_stays_what_it_is_on_every_route() -> None:
    token = Credential("Authorization", "Bearer ya29.t")

    assert token == token.for_path("/v1beta/openai/models")


@pytest.mark.parametrize(
    "credential",
    [
        Credential.api_key("auth_tokens/t"),
        Credential("Authorization", "Bearer auth_tokens/t"),
        Credential("Authorization", "Token auth_tokens/t"),
    ],
)
def test_an_ephemeral_token_has_its_own_scheme(credential: Credential) -> None:
    expected = Credential("Authorization", "Token auth_tokens/t")

    assert credential.for_path("/ws/any") == expected


def test_a_credential_does_not_print_its_value() -> None:
    assert "test-key" not in repr(Credential.api_key("test-key"))


def test_keys_are_told_from_tokens_by_their_prefix() -> None:
    assert is_api_key("AIzaTest")
    assert is_api_key("AQ.test")
    assert not is_api_key("ya29.test")
    assert not is_api_key("eyJ.AIza")


@pytest.mark.parametrize(
    ("token", "known"),
    [
        ("AIzaSyX", True),
        ("AQ.x", True),
        ("ya29.x", True),
        ("eyJh.eyJp.c2ln", True),
        ("eyJh.eyJp.", True),
        ("auth_tokens/x", True),
        ("auth_tokens/", False),
        ("eyJh.eyJp", False),
        ("xAIza", False),
        ("gp-AIza", False),
        ("sk-1", False),
        ("", False),
    ],
)
def test_a_credential_of_google_s_is_known_by_its_form(token: str, known: bool) -> None:
    assert is_googles(token) is known


def test_every_credential_of_a_request_is_found() -> None:
    headers = CIMultiDict(
        [
            ("X-Goog-Api-Key", " one "),
            ("x-goog-api-key", "two"),
            ("Api-Key", "three"),
            ("Authorization", "Bearer  four"),
            ("Authorization", "five"),
            ("Authorization", "Basic c2l4OnNldmVu"),
            ("Sec-WebSocket-Protocol", "json, key.eight"),
            ("X-Other", "nine"),
            ("X-Auth-Token", "Token  thirteen"),
            ("Proxy-Authorization", "ends here"),
        ]
    )

    taken, passed = brought(headers, "key=ten&a=eleven&oauth_token=%20twelve&key=")

    expected = {"one", "two", "three", "four", "five", "six", "seven", "ten", "twelve"}
    assert (len(taken), set(taken)) == (len(expected), expected)
    assert passed == ["eleven", "json", "json", "key.eight", "eight", "thirteen"]
    assert brought({"x-goog-api-key": "one"}, "") == (["one"], [])


def test_a_path_has_its_pieces_and_their_parts() -> None:
    assert in_path("/v1/models/x:y") == ["", "v1", "models", "x:y", "x", "y"]
