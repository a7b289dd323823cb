"""The request body of the next attempt, made from the client's own and the Transcript.

Only two fields of the client's request change: ``contents`` grows at its end, and
``maxOutputTokens`` shrinks by the delivered tokens. systemInstruction, tools and cachedContent stay
unchanged, so Google's implicit cache still matches the prefix.

Every current model accepts this form: a model turn with the text so far, without its trailing
spaces (marks.py), and a user turn that asks to continue ("Requests ending with a model turn are not
supported", from gemini-3.6-flash on). The user turn shows the anchor, the last characters of the
text, and asks to begin by repeating them, which makes the seam exact. It is worded as the user's
own words, because models refuse notices from an operator as injections.

``forms`` decides which form is next. If the request requires a function call (``toolConfig`` mode
ANY), a continuation does not, because it must continue with text.
"""

import enum
import json
from typing import Any

from gemproxy.core.answer.usage import estimate_tokens
from gemproxy.core.errors import NotContinuable
from gemproxy.core.repair.request import StreamRequest, look_up, spelling
from gemproxy.core.seam.marks import (
    MARKS,
    NO_MARKS,
    QUOTE_CLOSE,
    QUOTE_OPEN,
    Marks,
    marks_for,
    shown,
)


class Form(enum.Enum):
    """The ways to ask for the rest, in the order of their use."""

    ECHO = "echo"  # model turn, user turn with the anchor, output limit shrunk
    UNCAPPED = "uncapped"  # the same with the client's own output limit
    QUOTED = "quoted"  # no model turn: the user turn quotes the text so far
    PREFILL = "prefill"  # no user turn: older models continue a model turn


_ENGLISH = (
    "The connection broke and I did not get the end of your last reply. Please go on with that "
    "same reply from exactly where it stopped, in the same language and format, as if it had "
    "never been interrupted: no introduction, no comment, no recap."
)
_ENGLISH_ECHO = (
    " Begin by repeating its last characters exactly, without the marks around them, then "
    "continue directly after them: "
)
_ENGLISH_BARE_ECHO = (
    " Begin by repeating its last characters exactly, then continue directly after them:"
)
_CHINESE = (
    "连接中断，我没有收到你上一条回复的结尾。请从断开的地方接着写完同一条回复，"
    "语言和格式不变，就像从未中断一样：不要开场白，不要说明，不要重复前文。"
)
_CHINESE_ECHO = "请先原样重复最后这几个字符（不要带标记），然后紧接着往下写："
_CHINESE_BARE_ECHO = "请先原样重复最后这几个字符，然后紧接着往下写："
_TAIL = 200
_SOME_HAN = 10
_MIN_OUTPUT = 256
_ANY = ("ANY", "any", 2)  # by name, or by its number in FunctionCallingConfig.Mode


def ladder(request: StreamRequest) -> tuple[Form, ...]:
    """Return the forms that make sense for ``request``, in their order."""
    capped = look_up(request.config, "maxOutputTokens") is not None
    return tuple(form for form in Form if capped or form is not Form.UNCAPPED)


def continue_text(  # noqa: PLR0913 - each is one fact of the attempt
    request: StreamRequest,
    text: str,
    *,
    anchor: str | None,
    form: Form = Form.ECHO,
    delivered_tokens: int = 0,
    thought_tokens: int = 0,
) -> bytes:
    """Return the body of the request for the text after ``text``.

    ``delivered_tokens`` and ``thought_tokens`` are the tokens of the answer so far. Raises
    NotContinuable if the body cannot be rebuilt.
    """
    document = _rebuildable(request)
    if request.continuation_token is not None:
        raise NotContinuable("The request continues an answer whose beginning is not known.")
    contents = _with_answer(request.contents, text, form)
    if form is not Form.PREFILL:
        contents.append(_user_turn(_notice(text, anchor, quoted=form is Form.QUOTED)))
    document["contents"] = contents
    _let_it_write(document)
    if form is not Form.UNCAPPED:
        spare = estimate_tokens(anchor or "")
        _shrink_output(document, delivered_tokens - spare, thought_tokens)
    return _dump(document)


def continue_natively(request: StreamRequest, token: str) -> bytes:
    """Return the same request with Gemini's own ``continuationToken`` (long decode)."""
    document = _rebuildable(request)
    document[spelling(document, "continuationToken")] = token
    return _dump(document)


def find_anchor(notice: str) -> str | None:
    """Return the anchor in a notice, or None; the fake Gemini reads notices with this.

    It is exact for our own notices. In a notice with other words it is the text between the last
    marks.
    """
    asked = notice[_end_of_quote(notice) :]
    for marks in (*MARKS, NO_MARKS):
        for words in (_ENGLISH, _CHINESE):
            before = words + _asking(marks, chinese=words is _CHINESE)
            if asked.startswith(before) and asked.endswith(marks.closing):
                return asked[len(before) : len(asked) - len(marks.closing)]
    for marks in MARKS:
        _, found, rest = asked.rpartition(marks.opening)
        if found and rest.endswith(marks.closing):
            return rest[: -len(marks.closing)]
    return None


def find_quote(notice: str) -> str | None:
    """Return the text so far that a notice in the QUOTED form contains, or None."""
    end = _end_of_quote(notice)
    return notice[len(QUOTE_OPEN) : end - len(QUOTE_CLOSE)] if end else None


def _end_of_quote(notice: str) -> int:
    """Return the end of the quotation in a notice, 0 without one."""
    if not notice.startswith(QUOTE_OPEN):
        return 0
    for words in (_ENGLISH, _CHINESE, ""):
        end = notice.rfind(QUOTE_CLOSE + words)
        if end >= 0:
            return end + len(QUOTE_CLOSE)
    return 0


def _rebuildable(request: StreamRequest) -> dict[str, Any]:
    document = request.document
    if document is None or not request.contents:
        raise NotContinuable("The request body is no JSON that can be rebuilt.")
    return dict(document)


def _with_answer(contents: list[dict[str, Any]], text: str, form: Form) -> list[dict[str, Any]]:
    """Append the answer so far to the conversation, or as a part to a trailing model turn."""
    turns = list(contents)
    if form is Form.QUOTED:
        return turns
    last = turns[-1]
    if last.get("role") != "model":
        return [*turns, {"role": "model", "parts": [{"text": shown(text)}]}]
    parts = last.get("parts")
    parts = parts if isinstance(parts, list) else [parts] if parts else []
    return [*turns[:-1], {**last, "parts": [*parts, {"text": shown(text)}]}]


def _user_turn(notice: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": notice}]}


def _notice(text: str, anchor: str | None, *, quoted: bool) -> str:
    chinese = _is_chinese(text[-_TAIL:])
    notice = _CHINESE if chinese else _ENGLISH
    if anchor is not None:
        marks = marks_for(text)
        notice = f"{notice}{_asking(marks, chinese=chinese)}{shown(anchor)}{marks.closing}"
    return f"{QUOTE_OPEN}{shown(text)}{QUOTE_CLOSE}{notice}" if quoted else notice


def _asking(marks: Marks, *, chinese: bool) -> str:
    """Return the words that ask for an anchor in such marks, with the opening mark."""
    if marks is NO_MARKS:
        words = _CHINESE_BARE_ECHO if chinese else _ENGLISH_BARE_ECHO
    else:
        words = _CHINESE_ECHO if chinese else _ENGLISH_ECHO
    return words + marks.opening


def _is_chinese(tail: str) -> bool:
    if tail.isascii():
        return False
    han = sum("\u4e00" <= character <= "\u9fff" for character in tail)
    kana = any("\u3040" <= character <= "\u30ff" for character in tail)
    return not kana and han >= min(_SOME_HAN, max(1, len(tail) // 4))


def _let_it_write(document: dict[str, Any]) -> None:
    """Replace mode ANY, in which a model may only call functions, by AUTO."""
    name = spelling(document, "toolConfig")
    tools = document.get(name)
    if not isinstance(tools, dict):
        return
    key = spelling(tools, "functionCallingConfig")
    calling = tools.get(key)
    if not isinstance(calling, dict) or calling.get("mode") not in _ANY:
        return
    allowed = {"mode", "allowedFunctionNames", "allowed_function_names"}  # only valid with ANY
    kept = {name: value for name, value in calling.items() if name not in allowed}
    document[name] = {**tools, key: {**kept, "mode": "AUTO"}}


def _shrink_output(document: dict[str, Any], used: int, thought_tokens: int) -> None:
    """Lower maxOutputTokens by ``used``, but leave room for thoughts and text."""
    name = spelling(document, "generationConfig")
    config = document.get(name)
    if not isinstance(config, dict):
        return
    key = spelling(config, "maxOutputTokens")
    cap = config.get(key)
    if not isinstance(cap, int) or isinstance(cap, bool):
        return
    floor = min(cap, _MIN_OUTPUT + _thinking_budget(config, thought_tokens))
    document[name] = {**config, key: min(cap, max(cap - used, floor))}


def _thinking_budget(config: dict[str, Any], thought_tokens: int) -> int:
    """Return the tokens for thinking: the set budget, else those of the thoughts so far."""
    thinking = look_up(config, "thinkingConfig")
    budget = look_up(thinking, "thinkingBudget") if isinstance(thinking, dict) else None
    return budget if isinstance(budget, int) and budget > 0 else thought_tokens


def _dump(document: dict[str, Any]) -> bytes:
    try:
        return json.dumps(document, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (ValueError, RecursionError):
        raise NotContinuable("The request body cannot be written again.") from None
