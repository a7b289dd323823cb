"""Links to kept pictures in messages: found, and turned back into pictures."""

from typing import Any

import pytest

from gemproxy.core.picture import Picture
from gemproxy.images.names import PATTERN
from gemproxy.openai.recall import Own, Recall
from tests.gemini import Json
from tests.images.samples import PNG

BASE = "https://ai.example"
OWN = Own(PATTERN, (BASE,))
A, B = (f"{letter * 32}.png" for letter in "ab")
PICTURE = Picture(PNG, "image/png")
BOTH = {A: PICTURE, B: PICTURE}


def url(name: str, base: str = BASE) -> str:
    return f"{base}/images/{name}"


def shown(link: str) -> Json:
    return {"type": "image_url", "image_url": {"url": link}}


def text(said: str) -> Json:
    return {"type": "text", "text": said}


def user(content: Any, role: str = "user") -> Json:
    return {"role": role, "content": content}


def recalled(*messages: Json, every: bool = False, kept: dict[str, Picture] = BOTH) -> list[Any]:
    told, _ = Recall(list(messages), OWN, every).shown(kept)
    assert isinstance(told, list)
    return [message["content"] for message in told]


@pytest.mark.parametrize(
    "link",
    [
        url(A),
        f"/images/{A}",
        f"https://cdn.example/gemproxy/{A}",
        f"https://s3.example/pics/gemproxy/{A}?X-Amz-Date=1&X-Amz-Signature=ab%2F",
    ],
)
@pytest.mark.parametrize("form", ["![a boat]({})", '![]({} "A boat")', "![a](<{}>)"])
def test_a_markdown_picture_becomes_a_picture(link: str, form: str) -> None:
    told = f"Here: {form.format(link)} Nice."

    assert recalled(user(told, "assistant")) == [[text("Here: "), shown(link), text(" Nice.")]]


@pytest.mark.parametrize("around", ["{}", "larger:\n{}\nplease"])
def test_a_link_alone_becomes_a_picture(around: str) -> None:
    (content,) = recalled(user(around.format(url(A))))

    assert shown(url(A)) in content
    assert url(A) not in "".join(part.get("text", "") for part in content)


@pytest.mark.parametrize(
    "said",
    [
        f"[a boat]({url(A)})",
        f'<img src="{url(A)}">',
        f"`{url(A)}`",
        f"![a boat]({url(A)}",
        f"![a boat](https://ai.example/images/{A}.zip)",
        f"![a boat](https://ai.example/images/{A[1:]})",
        f"![a boat](images/{A})",
        f"![a boat](ftp://ai.example/images/{A})",
        f"![a boat](/other/images/{A})",
        "![a boat](https://ai.example/a.png)",
    ],
)
def test_other_texts_stay(said: str) -> None:
    assert recalled(user(said), user([text(said)])) == [said, [text(said)]]


def test_the_last_message_with_any_counts_or_all_of_them() -> None:
    messages = [
        user(f"![a]({url(A)})", "assistant"),
        user([text("And?"), shown(url(A))]),
        user(f"![b]({url(B)})", "assistant"),
        user("Go on."),
    ]

    assert Recall(messages, OWN).names() == [B]
    assert Recall(messages, OWN, every=True).names() == [B, A, A]
    assert recalled(*messages) == [
        f"![a]({url(A)})",
        [text("And?"), text(url(A))],
        [shown(url(B))],
        "Go on.",
    ]
    assert recalled(*messages, every=True)[:2] == [[shown(url(A))], [text("And?"), shown(url(A))]]


def test_a_picture_that_is_gone_is_told_as_text() -> None:
    messages = (user(f"![a]({url(A)}) ![b]({url(B)})", "assistant"), user([shown(url(A))]))

    assert recalled(*messages, every=True, kept={B: PICTURE}) == [
        [text(f"![a]({url(A)}) "), shown(url(B))],
        [text(url(A))],
    ]


def test_the_pictures_beside_a_text_are_not_told_twice() -> None:
    message = user(f"![a]({url(A)})", "assistant") | {"images": [shown(url(A)), shown(url(B))]}
    told, pictures = Recall([message], OWN).shown({A: PICTURE})
    lost, _ = Recall([message], OWN).shown({})

    assert told == [
        {**message, "content": [shown(url(A))], "images": [shown(url(A)), text(url(B))]}
    ]
    assert pictures == {url(A): PICTURE}
    assert lost == [{**message, "images": [text(url(B))]}]


def test_a_link_to_another_host_is_left_unless_its_picture_is_here() -> None:
    other = shown(url(A, "https://other.example"))

    assert recalled(user([other]), kept={}) == [[other]]
    assert Recall([user([other])], OWN).names() == [A]
    told, _ = Recall([user([other])], Own(PATTERN)).shown({})
    assert told == [user([text(other["image_url"]["url"])])]


def test_results_of_tools_are_read_as_parts_only_and_the_system_not_at_all() -> None:
    json_text = f'{{"shown": "![a]({url(A)})"}}'
    messages = (user(json_text, "tool"), user([shown(url(A))], "tool"), user(url(A), "system"))

    assert recalled(*messages, every=True) == [json_text, [shown(url(A))], url(A)]
    assert Recall(list(messages), OWN, every=True).names() == [A]


@pytest.mark.parametrize(
    "messages",
    [
        None,
        {},
        [None, [], "a"],
        [{"role": []}, user(3)],
        [user([{"type": "image_url"}, 3, {"type": []}, {"type": "text", "text": 3}])],
    ],
)
def test_what_is_wrong_is_left_to_the_translation(messages: object) -> None:
    recall = Recall(messages, OWN)

    assert recall.names() == []
    assert recall.shown({}) == (messages, {})
