"""The list of models in the form of both dialects."""

from typing import Any

from gemproxy.openai.catalogue import Catalogue, Shelf, merged, pages_joined

PRO = {"name": "models/gemini-2.5-pro", "supportedGenerationMethods": ["generateContent"]}
VECTORS = {"name": "models/gemini-embedding-001", "supportedGenerationMethods": ["embedContent"]}
MINE = {"name": "tunedModels/mine"}
PAGES: list[dict[str, Any]] = [
    {"models": [PRO, VECTORS], "nextPageToken": "t"},
    {"models": [PRO, MINE, 5]},
    {},
]


def ids(catalogue: Catalogue, *aliases: str, suffixes: bool = False) -> list[str]:
    return [entry["id"] for entry in catalogue.told(aliases, {}, suffixes=suffixes)["data"]]


def test_an_entry_has_the_fields_of_both() -> None:
    assert merged(PRO) == {
        "id": "gemini-2.5-pro",
        "object": "model",
        "created": 0,
        "owned_by": "google",
        **PRO,
    }


def test_only_the_collection_of_models_is_left_out_of_an_id() -> None:
    assert merged(MINE)["id"] == "tunedModels/mine"
    assert merged({"name": "models/models-s"})["id"] == "models-s"


def test_pages_are_joined_and_each_model_is_there_once() -> None:
    catalogue = pages_joined(PAGES)

    assert ids(catalogue) == ["gemini-2.5-pro", "gemini-embedding-001", "tunedModels/mine"]


def test_names_of_the_proxy_are_in_the_part_of_openai_alone() -> None:
    document = pages_joined(PAGES).told(["gpt-4o", "gemini-2.5-pro"], {"x": 1}, suffixes=True)

    own = [entry["id"] for entry in document["data"][3:]]
    assert own[0] == "gpt-4o"
    assert "gemini-2.5-pro-search" in own
    assert not [name for name in own if name.startswith("gemini-embedding")]
    assert [model["name"] for model in document["models"]] == [
        "models/gemini-2.5-pro",
        "models/gemini-embedding-001",
        "tunedModels/mine",
    ]
    assert document["x"] == 1


def test_models_are_found_and_left_out_by_name() -> None:
    catalogue = pages_joined(PAGES)

    assert catalogue.find("gemini-2.5-pro") == merged(PRO)
    assert catalogue.find("nope") is None
    assert ids(catalogue.of(lambda name: "pro" in name)) == ["gemini-2.5-pro"]


def test_a_shelf_keeps_the_last_list() -> None:
    shelf = Shelf()
    assert shelf.last is None

    shelf.keep(Catalogue((PRO,)))

    assert shelf.last == Catalogue((PRO,))
