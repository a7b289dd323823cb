"""Pictures and files as clients write them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.picture import Picture
from gemproxy.openai.media import Files, Named, standard
from gemproxy.openai.sniffing import Untaken

PNG = "iVBORw0KGgo="
JPEG = "/9j/4AAQ"
GIF = base64.b64encode(b"GIF89a..").decode()


def inlined(source: str, mime: str = "", filename: str = "") -> tuple[str, str]:
    data = Files().part(Named(source, mime, filename))["inlineData"]
    return data["mimeType"], data["data"]


@pytest.mark.parametrize(
    ("url", "mime", "data"),
    [
        (f"data:image/jpg;base64,{JPEG}", "image/jpeg", JPEG),
        (f"data:image/jpeg;base64,{JPEG}", "image/jpeg", JPEG),
        (f"data:IMAGE/PNG;base64,{PNG}", "image/png", PNG),
        (f"DATA:image/png;BASE64,{PNG}", "image/png", PNG),
        (f" data:image/png;base64,{PNG}\n", "image/png", PNG),
        (f"data:image/png;charset=utf-8;base64,{PNG}", "image/png", PNG),
        (f"data:image/png;base64;charset=utf-8,{PNG}", "image/png", PNG),
        (f"data:;base64,{PNG}", "image/png", PNG),
        (f"data:image/png; base64, {PNG}", "image/png", PNG),
        (f"data:image/png;base64,data:image/jpeg;base64,{JPEG}", "image/jpeg", JPEG),
        (f"data:png;base64,{PNG}", "image/png", PNG),
        (f"data:image/*;base64,{PNG}", "image/png", PNG),
        (f"data:application/octet-stream;base64,{PNG}", "image/png", PNG),
        (f"data:image/png;base64,{JPEG}", "image/jpeg", JPEG),
        (f"data:image/gif;base64,{PNG}", "image/png", PNG),
        ("data:image/png;base64,iVBORw0K\nGgo", "image/png", PNG),
        ("data:image/png;base64,iVBORw0K\r\n Ggo=", "image/png", PNG),
        ("data:image/png;base64,iVBORw0K%0AGgo%3D", "image/png", PNG),
        ("data:image/png;base64,iVBORw0KGg%2B_", "image/png", "iVBORw0KGg+/"),
        ("data:image/png;base64,iVBORw0KGg-_", "image/png", "iVBORw0KGg+/"),
        ("data:image/webp;base64,AAAA", "image/webp", "AAAA"),
        ("data:application/pdf;base64,AAAA", "application/pdf", "AAAA"),
        (PNG, "image/png", PNG),
    ],
)
def test_a_data_url_becomes_clean_base64(url: str, mime: str, data: str) -> None:
    assert inlined(url) == (mime, data)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "data:",
        "data:image/png",
        "data:image/png,rawtext",
        "data:image/png;base64,",
        "data:image/png;base64,%%%",
        "data:image/png;base64,*not base64*",
        "data:image/png;base64,A",
        "data:image/png;base64,iVBO=Rw0",
        f"data:image/gif;base64,{GIF}",
        f"data:image/png;base64,{GIF}",
        "data:image/bmp;base64,Qk0AAA==",
        "data:;base64,AAAA",
        "data:application/zip;base64,UEsDBAAA",
        "picture.png",
        "ftp://example.com/a.png",
        "file:///etc/passwd",
        "AAAA",
    ],
)
def test_what_gives_no_picture_is_refused(source: str) -> None:
    with pytest.raises(Untaken):
        Files().part(Named(source))


@pytest.mark.parametrize(
    ("filename", "mime"),
    [("a.csv", "text/csv"), ("a.pdf", "application/pdf"), ("A.MP3", "audio/mp3")],
)
def test_the_name_of_a_file_says_its_type(filename: str, mime: str) -> None:
    assert inlined("AAAA", "", filename)[0] == mime


@pytest.mark.parametrize(
    ("source", "uri", "mime"),
    [
        ("files/abc-1", "https://generativelanguage.googleapis.com/v1beta/files/abc-1", None),
        ("https://generativelanguage.googleapis.com/v1beta/files/x", "", None),
        ("https://www.youtube.com/watch?v=abc", "", None),
        ("https://youtu.be/abc", "", None),
        ("gs://bucket/a/b.pdf", "", "application/pdf"),
    ],
)
def test_what_gemini_reads_itself_is_pointed_to(source: str, uri: str, mime: str | None) -> None:
    pointed = Files().part(Named(source))["fileData"]

    assert pointed.get("mimeType") == mime
    assert pointed["fileUri"] == (uri or source)
    assert not Files().is_web(source)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.png",
        "HTTP://example.com/a.png",
        "https://generativelanguage.googleapis.com.evil.example/v1beta/files/x",
        "https://generativelanguage.googleapis.com/v1beta/models",
        "https://notyoutu.be/x",
    ],
)
def test_other_urls_are_refused_unless_they_were_fetched(url: str) -> None:
    with pytest.raises(Untaken, match=r"openai\.fetch_images"):
        Files().part(Named(url))

    fetched = {url: Picture(base64.b64decode(PNG), "image/png")}
    assert Files(fetched).part(Named(url)) == {"inlineData": {"mimeType": "image/png", "data": PNG}}
    assert Files().is_web(url)


def test_files_are_below_the_bases_that_are_known() -> None:
    url = "https://proxy.example/gem/v1beta/files/abc"
    files = Files(bases=("https://proxy.example/gem",))

    assert files.part(Named(url)) == {"fileData": {"fileUri": url}}
    assert not files.is_web(url)
    assert Files().is_web(url)
    assert files.is_web("https://proxy.example/gem/v1beta/models/abc")
    assert files.is_web("https://proxy.example/gem.evil/v1beta/files/abc")


@given(st.binary(min_size=1), st.sampled_from(["std", "url"]), st.booleans(), st.integers(1, 80))
def test_base64_in_any_writing_gives_its_bytes(
    data: bytes, alphabet: str, padded: bool, width: int
) -> None:
    encode = base64.b64encode if alphabet == "std" else base64.urlsafe_b64encode
    text = encode(data).decode()
    text = text if padded else text.rstrip("=")
    lines = "\n".join(text[at : at + width] for at in range(0, len(text), width))

    written = base64.b64encode(data).decode()
    assert standard(lines) == written
    assert standard(text.replace("+", "%2B").replace("/", "%2f").replace("=", "%3D")) == written
