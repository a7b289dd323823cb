"""How findings look."""

import json

from gemproxy.doctor.finding import Finding
from gemproxy.doctor.report import document, page, summary

FINDINGS = [
    Finding("python", "ok", "Python 3.11.7", ""),
    Finding("port", "fault", "the port is taken by " + "another program " * 5, "stop it"),
    Finding("bind", "warning", "open", "close it"),
    Finding("clock", "skipped", "--offline", ""),
]


def test_the_lines_are_aligned_and_have_marks_in_words() -> None:
    lines = page(FINDINGS, width=70, colour=False).splitlines()

    assert lines[0] == "ok       python  Python 3.11.7"
    assert lines[1].startswith("FAULT    port    the port is taken")
    assert all(len(line) <= 70 for line in lines)
    assert [line.index("->") for line in lines if "->" in line] == [17, 17]
    assert lines[-1] == "1 fault and 1 warning; 1 skipped"
    assert "\x1b" not in "".join(lines)


def test_colours_change_the_marks_alone() -> None:
    plain = page(FINDINGS, width=70, colour=False)
    coloured = page(FINDINGS, width=70, colour=True)

    assert "\x1b[31mFAULT" in coloured
    for code in ("31", "32", "33", "2", "0"):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert coloured == plain


def test_without_faults_it_says_so() -> None:
    assert summary(FINDINGS[:1]) == "no fault was found"


def test_json_is_a_list_of_findings() -> None:
    assert json.loads(document(FINDINGS))[0] == {
        "check": "python",
        "status": "ok",
        "message": "Python 3.11.7",
        "advice": "",
    }
