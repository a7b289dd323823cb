"""The built-in answers of the chaos server, by their names on the command line.

Together they contain everything that makes a seam hard to find or a frame hard to cut: code fences,
Chinese without spaces, characters of several bytes, repeated passages, tables, JSON, thoughts,
calls.
"""

import json
from collections.abc import Mapping

import attrs

from gemproxy.chaos.answers import Answer, Call, Ending, code_result, executable_code, image

_STORY = """\
The lighthouse keeper of Skerry Point had one rule: the lamp is never left alone.

For eleven years Ada kept it. She slept in the lamp room, ate on the stairs, and learned to
tell the hour by the sound of the gears. Ships that she never saw went by in the dark, and
in the morning she wrote their lights into a book: two white, one red, heading north.

One night in March the gears fell silent. Ada listened for a moment, as one listens to a
guest who has stopped in the middle of a sentence. Then she took the crank from its hook and
began to turn the lamp by hand, slowly, counting under her breath.

## What she counted

Her nephew, who could write programs, later asked her for the rhythm and made this of it:

```python
def beam(turns: int) -> list[int]:
    \"\"\"Return the seconds at which the beam passes north.\"\"\"
    seconds = []
    for turn in range(turns):
        seconds.append(turn * 12)
        seconds.append(turn * 12 + 4)
    return seconds
```

"Twelve seconds for a turn," she said, "and never faster when you are afraid."

At dawn the keeper of the next light, eighteen miles away, looked at his own book. He had
written down Skerry Point every twelve seconds, all night long, and had noticed nothing.
That, Ada thought, is what it means to keep a light.
"""

_CHINESE = """\
从前，山脚下有一座小小的邮局，只有一位老邮差。他每天清晨五点出门，沿着河边的石板路，\
把信送到七个村子。

有一年冬天，大雪封了山，电话也断了。村里的人都以为，这一回信是送不到了。可是第三天傍晚，\
老邮差还是敲响了最远那户人家的门。他的眉毛上结着冰，怀里的信却是干的。

“路断了，您怎么过来的？”主人问。

“路断了，就从断的地方接着走。”老邮差笑着说，“信要完整，一个字也不能少，一个字也不能多。”

后来，人们在邮局门口立了一块石碑，上面只刻了八个字：断而复续，一字不差。
"""

_EMOJI = """\
Packing list for the trip 🧳, checked twice ✅✅:

- tent ⛺, stove 🔥, and the good coffee ☕
- passports 🛂 for the whole family 👨‍👩‍👧‍👦, even the dog's 🐕‍🦺
- flags for the finish: 🇳🇴 🇯🇵 🇧🇷, and the rainbow one 🏳️‍🌈
- a first-aid kit 🩹, thumbs up 👍🏽, and patience 🧘🏾‍♀️

Naïve café façade, Ålesund, Łódź, Việt Nam, 你好, こんにちは, 안녕하세요. All packed 🎒!
"""

_REPETITIVE = (
    "Ten green bottles hanging on the wall,\nTen green bottles hanging on the wall,\n"
    "And if one green bottle should accidentally fall,\n"
    "There'll be nine green bottles hanging on the wall.\n\n"
) + "".join("na na na na na na na na\n" for _ in range(24))

_TABLE = """\
Here is the comparison that you asked for:

| Fault | Seen by the client as | What to do |
| --- | --- | --- |
| clean end without a reason | success | resume |
| reset connection | an error | resume |
| silence | nothing at all | wait, then resume |
| error in a frame | an exception, or nothing | resume |
| 429 before the stream | an error | wait as told |

1. Read the table from left to right.
2. Do the last column.
3. Begin again at the left, until nothing is open!
"""

_JSON = json.dumps(
    {
        "title": "Ports of the north",
        "ports": [
            {"name": name, "country": country, "depth_m": depth, "ice": ice, "tags": ["port", "n"]}
            for name, country, depth, ice in (
                ("Tromsø", "Norway", 12.5, False),
                ("Luleå", "Sweden", 11, True),
                ("Reykjavík", "Iceland", 8.5, False),
                ("Murmansk", "Russia", 15, False),
                ("Nuuk", "Greenland", 7, True),
            )
        ],
        "note": 'a "quoted" word, a \\ backslash,\nand a line break',
        "complete": True,
    },
    ensure_ascii=False,
    indent=2,
)

_THOUGHTS = (
    "The user wants a story. I should think of a place first, then of one person in it. "
    "A lighthouse is good: it has a rhythm, and a rhythm can be kept or lost. "
    "Let me also put a piece of code in, so that the formatting matters."
)

_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4"
    "890000000d49444154789c63504858f01f0003e402207b860edc000000004945"
    "4e44ae426082"
)

_WEATHER = Call("get_weather", {"city": "Tromsø", "days": 3, "metric": True}, "call-1", "c2lnbmVk")

_STORY_ANSWER = Answer(_STORY)

BUILT_IN: Mapping[str, Answer] = {
    "story": _STORY_ANSWER,
    "chinese": Answer(_CHINESE, chunk=(2, 12)),
    "emoji": Answer(_EMOJI, chunk=(1, 9)),
    "repetitive": Answer(_REPETITIVE),
    "table": Answer(_TABLE),
    "json": Answer(_JSON),
    "thinking": attrs.evolve(_STORY_ANSWER, thoughts=_THOUGHTS, signature="c2lnbmF0dXJl"),
    "grounded": attrs.evolve(
        _STORY_ANSWER, citations=("eleven years", "Twelve seconds for a turn", "eighteen miles")
    ),
    "call": Answer("I will look that up.", calls=(_WEATHER,)),
    "streamed-call": Answer(calls=(attrs.evolve(_WEATHER, piece=3),)),
    "code": Answer(
        "The 20th Fibonacci number is 6765.",
        opening=(executable_code("print(fib(20))"), code_result("6765\n")),
        ending=Ending(after=(1,)),
    ),
    "image": Answer("Here is one pixel.", closing=(image(_PIXEL),)),
    "candidates": Answer(_TABLE, others=(_EMOJI,)),
    "long-decode": attrs.evolve(_STORY_ANSWER, checkpoint=5, hop=20),
    "empty": Answer(),
    "thoughts-only": Answer(thoughts=_THOUGHTS),
    "blocked": Answer(block="PROHIBITED_CONTENT"),
}
"""Every built-in answer, by name."""
