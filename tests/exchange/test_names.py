"""The model that a path names, however it is spelt."""

import pytest

from gemproxy.exchange.exchange import Exchange
from gemproxy.exchange.names import bound_names


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "gemini-2.5-flash"),
        ("/v1/tunedModels/mine:generateContent", "mine"),
        ("/v1/dynamic/0123:generateContent", "0123"),
        ("/v1/endpoints/123:streamGenerateContent", "123"),
        ("/v1/projects/p/locations/l/endpoints/123:predict", "123"),
        ("/v1/projects/p/locations/l/publishers/google/models/m:countTokens", "m"),
        ("/v1beta/models/google/gemini-2.5-flash:generateContent", "google/gemini-2.5-flash"),
        ("/v1beta/models/x:thinking:streamGenerateContent", "x:thinking"),
        ("/v1beta/models%2Fx:streamGenerateContent", "x"),
        ("/v1beta/models/google%2Fx%3Athinking%3AgenerateContent", "google/x:thinking"),
        ("/team/gemini/v1beta/models/m:generateContent", "m"),
        ("//v1beta/models/m:generateContent", "m"),
        ("/models/m:generateContent", "m"),
        ("/v1/google/m:generateContent", "google/m"),
        ("/team/m:generateContent", "m"),
        ("/:generateContent", ""),
        ("/v1beta/models/:generateContent", ""),
        ("/v1beta/models/%0A:generateContent", "\n"),
        ("/v1beta/models", ""),
    ],
)
def test_the_model_stands_before_the_last_colon(path: str, model: str) -> None:
    assert Exchange("1", "stream", "POST", path.partition("?")[0], "", {}).model == model


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/v1beta/files/abc", ("files/abc",)),
        ("/v1beta/files/abc:download", ("files/abc",)),
        ("/v1beta/cachedContents/c", ("cachedContents/c",)),
        ("/v1beta/batches/b:cancel", ("batches/b",)),
        ("/v1beta/operations/o", ("operations/o",)),
        ("/v1beta/models/veo/operations/o", ("models/veo/operations/o",)),
        ("/v1beta/tunedModels/t/operations/o", ("tunedModels/t",)),
        ("/v1beta/batches/b/operations/o:cancel", ("batches/b",)),
        ("/v1beta/fileSearchStores/s/documents/d", ("fileSearchStores/s",)),
        ("/v1beta/fileSearchStores/s/upload/operations/o", ("fileSearchStores/s",)),
        ("/upload/v1beta/fileSearchStores/s:uploadToFileSearchStore", ("fileSearchStores/s",)),
        ("/v1beta/environments/e/files/a/b/files/c", ("environments/e",)),
        ("/v1beta/openai/files/x/content", ("files/x",)),
        ("/v1beta/openai/files/files/x", ("files/x",)),
        ("/v1beta/openai/batches/batches/x/cancel", ("batches/x",)),
        ("/v1beta/openai/videos/x", ("videos/x",)),
        ("//v1//files//abc", ("files/abc",)),
        ("/team/files/a/v1beta/files/b", ("files/b",)),
        ("/v1beta/files/a/v1/files/b", ("files/a", "files/b")),
        ("/files/abc", ("files/abc",)),
        ("/v1beta/interactions/i", ("interactions/i",)),
        ("/v1beta/files", ()),
        ("/v1beta/myfiles/abc", ()),
        ("/v1beta/models/m:generateContent", ()),
    ],
)
def test_some_names_bind_a_request_to_their_owner(path: str, names: tuple[str, ...]) -> None:
    assert bound_names(path) == names
