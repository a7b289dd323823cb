"""The ledger's database: whether it can be reached, and how old its tables are."""

from gemproxy.config.operators import keeps_a_ledger
from gemproxy.doctor.case import Case
from gemproxy.doctor.finding import Verdict, Verdicts, fault, ok, skipped, warning
from gemproxy.ledger.peeking import Sight, look
from gemproxy.ledger.schema import NEWEST
from gemproxy.store.unusable import Unusable


async def ledger(case: Case) -> Verdicts:
    """Judge the ledger."""
    if not keeps_a_ledger(case.settings, pooled=case.pooled):
        return [ok("no ledger is kept")]
    url = case.settings.ledger.database_url
    if case.offline and url and not url.startswith("sqlite"):
        return [skipped("--offline: the database was not asked")]
    try:
        return [judge(await look(url, case.data_dir))]
    except Unusable as error:
        return [fault(f"{error.setting}: {error}", _advice(str(error)))]


def judge(sight: Sight) -> Verdict:
    """Judge what is in the database."""
    words = sight.place.words
    if not sight.exists or not sight.version:
        return ok(f"{words} will be made at the start")
    if sight.older:
        return warning(
            f"{words} is older (schema {sight.version}, this gemproxy has {NEWEST})",
            "make a backup with gemproxy db backup; the next start brings it up to date",
        )
    return ok(f"{words} is up to date (schema {sight.version})")


def _advice(why: str) -> str:
    for words, advice in _ADVICE:
        if words in why:
            return advice
    return "correct ledger.database_url, or let this machine, user and password into the database"


_ADVICE = (
    ("newer gemproxy", "install that version, or use another database"),
    ("another program", "use another database, or another file"),
    ("pip install", "pip install 'gemproxy[postgres]'"),
    ("damaged", "restore a backup with gemproxy db restore, or move the file away"),
    ("unable to open", "let the user that runs gemproxy read and write it, with its -wal and -shm"),
    ("locked", "end the process that holds it"),
    ("not the URL", "correct ledger.database_url"),
)
