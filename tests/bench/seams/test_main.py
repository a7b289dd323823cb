"""The command that prints the tables."""

import pytest

from bench.seams.__main__ import INSTRUMENTS, main


def test_prints_a_table_for_each_instrument(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--variants", "1", "--texts", "16", "--retellings", "10", "--joins", "10"]
    chosen = [name for name in INSTRUMENTS if name != "boundaries"]
    names = [argument for name in chosen for argument in ("--only", name)]
    monkeypatch.setattr("sys.argv", ["seams", *sizes, *names, "--processes", "1"])

    main()

    heads = ["spellings of an echo", "beginnings of real models", "texts with nothing to drop"]
    heads += ["retellings", "random joins"]
    printed = capsys.readouterr().out
    assert [head for head in heads if head not in printed] == []
