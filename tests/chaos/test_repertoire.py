"""The built-in answers hold what they are for."""

import json

import pytest

from gemproxy.chaos.answers import expected_text
from gemproxy.chaos.repertoire import BUILT_IN


def test_the_story_has_paragraphs_and_a_closed_code_fence() -> None:
    text = BUILT_IN["story"].text
    assert "\n\n" in text
    assert text.count("```") == 2


@pytest.mark.parametrize("name", ["chinese", "emoji"])
def test_some_answers_have_characters_of_several_bytes(name: str) -> None:
    text = BUILT_IN[name].text
    assert len(text.encode()) > 1.2 * len(text)


def test_the_json_answer_is_one_document() -> None:
    assert json.loads(BUILT_IN["json"].text)["complete"] is True


def test_the_repetitive_answer_has_no_unique_tail() -> None:
    text = BUILT_IN["repetitive"].text
    assert text.count(text[-40:]) > 1


def test_citations_stand_in_their_text() -> None:
    for answer in BUILT_IN.values():
        assert all(passage in answer.text for passage in answer.citations)


@pytest.mark.parametrize("name", ["empty", "thoughts-only", "blocked"])
def test_some_answers_have_no_visible_text(name: str) -> None:
    assert expected_text(BUILT_IN[name]) == ""
