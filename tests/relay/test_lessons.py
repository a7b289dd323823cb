"""What the models have taught us."""

from gemproxy.core.repair.continuation import Form
from gemproxy.relay.lessons import Lessons


def test_a_model_nothing_is_known_of_is_asked_in_the_first_form() -> None:
    assert Lessons().first_form("gemini-x") is Form.ECHO


def test_a_model_is_asked_in_the_form_that_it_took_last() -> None:
    lessons = Lessons()

    lessons.learn("gemini-x", Form.PREFILL)
    lessons.learn("gemini-x", Form.QUOTED)

    assert lessons.first_form("gemini-x") is Form.QUOTED
    assert lessons.first_form("gemini-y") is Form.ECHO


def test_of_many_models_the_one_learnt_of_longest_ago_is_forgotten() -> None:
    lessons = Lessons()
    for number in range(256):
        lessons.learn(f"gemini-{number}", Form.QUOTED)
    lessons.learn("gemini-0", Form.QUOTED)

    lessons.learn("one-more", Form.QUOTED)

    assert lessons.first_form("gemini-0") is Form.QUOTED
    assert lessons.first_form("gemini-1") is Form.ECHO
    assert lessons.first_form("gemini-2") is Form.QUOTED
