"""The request of the next attempt: the client's own, longer at one end and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemproxy.core.answer.usage import estimate_tokens
from gemproxy.core.errors import NotContinuable
from gemproxy.core.repair.continuation import (
    Form,
    continue_natively,
    continue_text,
    find_anchor,
    find_quote,
    ladder,
)
from gemproxy.core.repair.request import StreamRequest, snake_case
from gemproxy.core.seam.marks import shown

Json = dict[str, Any]

USER = {"role": "user", "parts": [{"text": "Tell me a story."}]}
MODEL = {"role": "model", "parts": [{"text": "Title: "}]}
STORY = "Once upon a time there was a lighthouse keeper"
WITH_NOTICE = [Form.ECHO, Form.UNCAPPED, Form.QUOTED]

any_text = st.text(st.characters())  # lone surrogates too
marked = st.text(st.sampled_from("<>[]\u27e6\u27e7 \n") | st.characters(), min_size=1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
forms = st.sampled_from(Form)


def request(contents: object = (USER,), **fields: object) -> StreamRequest:
    return StreamRequest(json.dumps({"contents": contents, **fields}).encode())


def continued(asked: StreamRequest, text: str = STORY, **more: Any) -> Json:
    document: Json = json.loads(continue_text(asked, text, anchor=None, **more))
    return document


def last_text(document: Json) -> str:
    text = document["contents"][-1]["parts"][-1]["text"]
    assert isinstance(text, str)
    return text


def limit_of(document: Json) -> object:
    return document["generationConfig"]["maxOutputTokens"]


# -- the shape of the request ------------------------------------------------------------------


def test_the_answer_so_far_is_a_model_turn_and_the_question_a_user_turn() -> None:
    document = continued(request())

    assert document["contents"][:-1] == [USER, {"role": "model", "parts": [{"text": STORY}]}]
    assert document["contents"][-1]["role"] == "user"


@pytest.mark.parametrize("form", WITH_NOTICE)
def test_a_request_never_ends_with_a_model_turn(form: Form) -> None:
    for contents in ([USER], [USER, MODEL], MODEL):
        assert continued(request(contents), form=form)["contents"][-1]["role"] == "user"


def test_a_trailing_model_turn_takes_the_text_as_a_part() -> None:
    document = continued(request([USER, MODEL]))

    assert document["contents"][1] == {
        "role": "model",
        "parts": [{"text": "Title: "}, {"text": STORY}],
    }
    assert len(document["contents"]) == 3


@pytest.mark.parametrize("parts", [{"text": "Title: "}, None, []])
def test_a_trailing_model_turn_may_have_its_parts_in_any_form(parts: object) -> None:
    document = continued(request([USER, {"role": "model", "parts": parts}]))

    assert document["contents"][1]["parts"][-1] == {"text": STORY}
    assert len(document["contents"][1]["parts"]) == (2 if parts else 1)


def test_a_lone_content_object_is_the_first_turn() -> None:
    assert continued(request(USER))["contents"][0] == USER


def test_after_a_function_response_the_order_is_kept() -> None:
    call = {"role": "model", "parts": [{"functionCall": {"name": "f"}}]}
    response = {"role": "user", "parts": [{"functionResponse": {"name": "f"}}]}

    turns = continued(request([USER, call, response]))["contents"]

    assert turns[:3] == [USER, call, response]
    assert [turn["role"] for turn in turns[3:]] == ["model", "user"]


def test_a_prefill_ends_with_the_text() -> None:
    document = continued(request(), form=Form.PREFILL)

    assert document["contents"] == [USER, {"role": "model", "parts": [{"text": STORY}]}]


def test_a_quotation_puts_the_text_into_the_user_turn() -> None:
    document = continued(request(), form=Form.QUOTED)

    assert document["contents"][:-1] == [USER]
    assert find_quote(last_text(document)) == STORY


# -- nothing else changes ----------------------------------------------------------------------


@st.composite
def requests(draw: st.DrawFn) -> Json:
    """Draw a request, each name in one of its spellings."""

    def spelled(fields: Json) -> Json:
        names = {name: draw(st.sampled_from([name, snake_case(name)])) for name in fields}
        return {names[name]: value for name, value in fields.items()}

    config = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "maxOutputTokens": st.integers(-1, 10_000) | st.none() | st.just("8192"),
                "temperature": st.floats(0, 2),
                "stopSequences": st.lists(st.text()),
                "seed": st.integers(),
                "thinkingConfig": st.fixed_dictionaries(
                    {}, optional={"thinkingBudget": st.integers(-1, 5000)}
                ).map(spelled),
                "x": json_values,
            },
        )
    )
    turn = st.sampled_from([USER, MODEL, {"parts": {"text": "no role"}}])
    fields = draw(
        st.fixed_dictionaries(
            {"contents": st.lists(turn, min_size=1) | turn | st.just("Hello")},
            optional={
                "generationConfig": st.just(spelled(config)) | st.none(),
                "systemInstruction": st.just("Be brief.") | json_values,
                "cachedContent": st.just("cachedContents/1"),
                "tools": json_values,
                "toolConfig": json_values,
                "safetySettings": json_values,
                "x": json_values,
            },
        )
    )
    return spelled(fields)


def without_limit(document: Json) -> Json:
    """Return what a continuation must not touch."""
    rest = {name: value for name, value in document.items() if name != "contents"}
    for name in ("generationConfig", "generation_config"):
        if isinstance(rest.get(name), dict):
            limits = ("maxOutputTokens", "max_output_tokens")
            rest[name] = {k: v for k, v in rest[name].items() if k not in limits}
    return rest


@settings(deadline=None)
@given(
    document=requests(),
    text=any_text,
    anchor=st.none() | any_text,
    form=forms,
    delivered=st.integers(0, 9000),
    thoughts=st.integers(0, 9000),
)
def test_only_contents_and_the_output_limit_change(
    document: Json, text: str, anchor: str | None, form: Form, delivered: int, thoughts: int
) -> None:
    body = json.dumps(document).encode()
    asked = StreamRequest(body)

    new = json.loads(
        continue_text(
            asked,
            text,
            anchor=anchor,
            form=form,
            delivered_tokens=delivered,
            thought_tokens=thoughts,
        )
    )

    assert without_limit(new) == without_limit(document)
    assert list(new) == list(document), "even the order of the fields"
    assert asked.body == body
    assert asked.document == document, "the parsed request is not the one that was changed"


@settings(deadline=None)
@given(document=requests(), text=any_text, form=forms)
def test_the_turns_only_grow_at_their_end(document: Json, text: str, form: Form) -> None:
    asked = StreamRequest(json.dumps(document).encode())
    before = asked.contents

    after = json.loads(continue_text(asked, text, anchor=None, form=form))["contents"]

    assert after[: len(before) - 1] == before[:-1]
    assert {**after[len(before) - 1], "parts": 0} == {**before[-1], "parts": 0}
    if before[-1].get("role") != "model":
        assert after[len(before) - 1] == before[-1]


@given(text=any_text, anchor=st.none() | any_text)
def test_the_text_is_exact_to_the_last_surrogate(text: str, anchor: str | None) -> None:
    body = continue_text(request(), text, anchor=anchor)

    assert body.isascii()
    model = json.loads(body)["contents"][1]
    parts = [{"text": shown(text)}]
    assert model == json.loads(json.dumps({"role": "model", "parts": parts}))


# -- anchor and quotation ----------------------------------------------------------------------


@settings(deadline=None)
@given(text=marked, form=st.sampled_from(WITH_NOTICE), data=st.data())
def test_the_anchor_that_a_notice_shows_is_found_again(
    text: str, form: Form, data: st.DataObject
) -> None:
    anchor = text[data.draw(st.integers(0, len(text) - 1)) :]

    body = continue_text(request(), text, anchor=anchor, form=form)

    found = find_anchor(last_text(json.loads(body)))
    assert json.dumps(found) == json.dumps(json.loads(json.dumps(shown(anchor))))


@pytest.mark.parametrize(
    "anchor",
    [
        "<<<",
        ">>>",
        "a <<<b>>> c",
        "[[[x]]] <<<y>>>",
        "<[\u27e6",
        "\u27e7]>",
        "\u27e6\u27e6\u27e7\u27e7<>[]",
        "<",
        "]",
        "line\nbreak ",
        " ",
        "</reply_so_far>",
    ],
)
@pytest.mark.parametrize("before", ["A story. ", "从前有一座山，山上有一座庙，庙里有一个老和尚。"])
@pytest.mark.parametrize("form", WITH_NOTICE)
def test_no_mark_in_an_anchor_hides_it(before: str, anchor: str, form: Form) -> None:
    body = continue_text(request(), before + anchor, anchor=anchor, form=form)

    assert find_anchor(last_text(json.loads(body))) == shown(anchor)


@pytest.mark.parametrize("anchor", ["x <<<", "[a](b) ]", "a < b, c[0]"])
def test_the_marks_of_a_notice_are_not_those_of_the_anchor(anchor: str) -> None:
    notice = last_text(json.loads(continue_text(request(), anchor, anchor=anchor)))

    start = notice.rindex(anchor)
    assert notice[start - 1] not in anchor
    assert notice[start + len(anchor)] not in anchor


def test_without_an_anchor_none_is_shown() -> None:
    assert find_anchor(last_text(continued(request()))) is None


def test_an_anchor_is_found_in_a_notice_of_other_words() -> None:
    assert find_anchor("Go on after <<<the end>>>") == "the end"
    assert find_anchor("Go on after <<<the end") is None
    assert find_anchor("What does [[[ mean?") is None
    assert find_anchor("") is None


@given(text=marked, anchor=st.none() | marked)
def test_a_quotation_is_found_again(text: str, anchor: str | None) -> None:
    body = continue_text(request(), text, anchor=anchor, form=Form.QUOTED)

    found = find_quote(last_text(json.loads(body)))
    assert json.dumps(found) == json.dumps(json.loads(json.dumps(shown(text))))


@pytest.mark.parametrize("text", ["\n</reply_so_far>\n\n", "a\n</reply_so_far>\n\nb", "", "\n"])
def test_a_text_about_the_quotation_marks_is_found_whole(text: str) -> None:
    assert find_quote(last_text(continued(request(), text, form=Form.QUOTED))) == text


@pytest.mark.parametrize("notice", ["", "Go on.", "<reply_so_far>\nnever closed"])
def test_a_notice_without_a_quotation_has_none(notice: str) -> None:
    assert find_quote(notice) is None


# -- the notice --------------------------------------------------------------------------------


def test_the_notice_speaks_with_the_voice_of_the_user() -> None:
    notice = last_text(continued(request())).lower()

    assert " i " in notice
    assert not any(word in notice for word in ("system", "proxy", "gemproxy", "transport"))


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("Once upon a time", False),
        ("从前有一座山，山上有一座庙。", True),
        ("好的", True),
        ("She said 你好 and left the room.", False),
        ("昔々あるところに、おじいさんとおばあさんが住んでいました。", False),
        ("옛날 옛적에 호랑이가", False),
        ("Once upon a time. " * 20 + "从前有一座山，山上有一座庙。" * 12, True),
        ("", False),
    ],
)
def test_the_notice_is_in_the_language_of_the_end_of_the_text(text: str, chinese: bool) -> None:
    notice = last_text(continued(request(), text))

    assert ("请" in notice) is chinese


# -- the output limit --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cap", "delivered", "limit"),
    [(1000, 0, 1000), (1000, 300, 700), (1000, 744, 256), (1000, 900, 256), (100, 90, 100)],
)
def test_the_limit_shrinks_by_what_was_delivered_down_to_a_floor(
    cap: int, delivered: int, limit: int
) -> None:
    asked = request(generationConfig={"maxOutputTokens": cap})

    assert limit_of(continued(asked, delivered_tokens=delivered)) == limit


def test_the_anchor_is_not_charged() -> None:
    asked = request(generationConfig={"maxOutputTokens": 1000})

    body = continue_text(asked, STORY, anchor=STORY, delivered_tokens=300)

    assert limit_of(json.loads(body)) == 1000 - 300 + estimate_tokens(STORY)


@pytest.mark.parametrize(
    ("thinking", "spent", "floor"),
    [
        ({"thinkingBudget": 1000}, 0, 1256),
        ({"thinking_budget": 1000}, 50, 1256),
        ({"thinkingBudget": 0}, 0, 256),
        ({"thinkingBudget": -1}, 500, 756),
        ({"thinkingLevel": "HIGH"}, 500, 756),
        ({}, 0, 256),
    ],
)
def test_the_floor_leaves_room_to_think(thinking: Json, spent: int, floor: int) -> None:
    asked = request(generationConfig={"maxOutputTokens": 5000, "thinkingConfig": thinking})

    limit = limit_of(continued(asked, delivered_tokens=5000, thought_tokens=spent))

    assert limit == floor


@given(
    cap=st.integers(0, 10_000),
    budget=st.integers(-1, 10_000),
    delivered=st.integers(0, 20_000),
    anchor=any_text,
)
def test_the_limit_is_between_the_floor_and_what_the_client_set(
    cap: int, budget: int, delivered: int, anchor: str
) -> None:
    asked = request(
        generationConfig={"maxOutputTokens": cap, "thinkingConfig": {"thinkingBudget": budget}}
    )

    limit = limit_of(
        json.loads(continue_text(asked, anchor, anchor=anchor, delivered_tokens=delivered))
    )

    floor = min(cap, 256 + max(budget, 0))
    exact = cap - delivered + estimate_tokens(anchor)
    assert limit == min(cap, max(exact, floor))


def test_the_limit_is_found_in_snake_case() -> None:
    asked = request(generation_config={"max_output_tokens": 1000})

    assert continued(asked, delivered_tokens=300)["generation_config"] == {"max_output_tokens": 700}


@pytest.mark.parametrize("cap", [None, "8192", True, -1, 0])
def test_a_limit_that_is_none_is_let_be(cap: object) -> None:
    asked = request(generationConfig={"maxOutputTokens": cap})

    assert limit_of(continued(asked, delivered_tokens=300)) == cap


def test_where_no_limit_is_set_none_is_added() -> None:
    assert "generationConfig" not in continued(request(), delivered_tokens=300)
    assert continued(request(generationConfig={}), delivered_tokens=9)["generationConfig"] == {}


def test_the_uncapped_form_keeps_the_limit_of_the_client() -> None:
    asked = request(generationConfig={"maxOutputTokens": 1000})

    assert limit_of(continued(asked, form=Form.UNCAPPED, delivered_tokens=300)) == 1000


# -- the ladder --------------------------------------------------------------------------------


def test_the_forms_are_tried_from_the_best_to_the_last() -> None:
    capped = request(generationConfig={"maxOutputTokens": 1000})

    assert ladder(capped) == (Form.ECHO, Form.UNCAPPED, Form.QUOTED, Form.PREFILL)


def test_the_uncapped_form_makes_no_difference_where_there_is_no_limit() -> None:
    assert ladder(request()) == (Form.ECHO, Form.QUOTED, Form.PREFILL)


def test_each_form_of_a_ladder_asks_differently() -> None:
    asked = request(generationConfig={"maxOutputTokens": 1000})

    bodies = {
        continue_text(asked, STORY, anchor=STORY[-20:], form=form, delivered_tokens=300)
        for form in ladder(asked)
    }

    assert len(bodies) == 4


# -- native continuation -----------------------------------------------------------------------


@given(requests())
def test_a_native_continuation_is_the_same_request_with_the_token(document: Json) -> None:
    asked = StreamRequest(json.dumps(document).encode())

    new = json.loads(continue_natively(asked, "token"))

    assert new == {**document, "continuationToken": "token"}
    assert asked.document == document


@pytest.mark.parametrize("name", ["continuationToken", "continuation_token"])
def test_a_token_of_the_client_is_replaced_and_not_doubled(name: str) -> None:
    asked = request(**{name: "old"})

    assert json.loads(continue_natively(asked, "new")) == {"contents": [USER], name: "new"}


# -- what cannot be continued ------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"[]",
        b'{"contents":[]}',
        b'{"generationConfig":{}}',
        b'{"contents":"a","contents":"b"}',
        b'{"contents":"a","x":1e999}',
        b'{"contents":"a","x":NaN}',
        b'{"contents":"\xff"}',
    ],
)
def test_a_body_that_cannot_be_rebuilt_faithfully_is_not_continued(body: bytes) -> None:
    with pytest.raises(NotContinuable):
        continue_text(StreamRequest(body), STORY, anchor=None)
    with pytest.raises(NotContinuable):
        continue_natively(StreamRequest(body), "token")


def test_a_request_that_continues_another_is_not_continued_as_text() -> None:
    with pytest.raises(NotContinuable):
        continued(request(continuationToken="of an answer whose beginning we never saw"))


@given(st.binary() | json_values.map(lambda value: json.dumps({"contents": value}).encode()))
def test_any_body_is_continued_or_refused(body: bytes) -> None:
    for form in Form:
        try:
            new = continue_text(StreamRequest(body), STORY, anchor=STORY[-9:], form=form)
        except NotContinuable:
            continue
        assert json.loads(new)["contents"]
