"""``POST /v1/embeddings``: texts of OpenAI's dialect, embedded by Gemini's ``:batchEmbedContents``.

Texts beyond one batch are asked for in several, one after the other. The answer has all vectors, or
it is an error. Where the upstream does not count the tokens, the usage is what a request of this
size should use (``accounts.estimate``), and so is the charge.
"""

import attrs
from aiohttp import web

from gemproxy.accounts.estimate import Asking, estimate
from gemproxy.core.answer.rewrite import dump
from gemproxy.core.answer.usage import Billed
from gemproxy.exchange.account import Account, Spent
from gemproxy.openai.embeddings import told, translate
from gemproxy.routes.documents import Documents
from gemproxy.routes.metered import begin
from gemproxy.routes.native import document_of, native
from gemproxy.routes.parts import EXCHANGE, LIVE

_METHOD = "batchEmbedContents"
_JSON = "application/json"


async def handle(request: web.Request) -> web.Response:
    """Answer one request for embeddings."""
    exchange = request[EXCHANGE]
    async with request[LIVE].repair.bodies.receive(request, whole=True) as received:
        asked = translate(document_of(received.kept), request[LIVE].ways.aliases)
        towards = native(exchange, asked.model, _METHOD)
        exchange.account.model = towards.model
        whole = dump(asked.whole())
        await begin(request, whole, towards.model)
        batches = asked.batches()
        exchange.account.calls = len(batches)
        documents = Documents(request, "list of embeddings", asked.model)
        judge, given = documents.judge, False
        try:
            answers = [await documents.fetch(towards, dump(batch)) for batch in batches]
            tokens = judge.billed.prompt or _estimated(exchange.account, asked.model, whole)
            body = dump(told(asked, answers, tokens))
            given = True
        finally:
            own = judge.billed if given else Billed()
            spent = Spent(tuple(judge.bills), own, unread=given and not own.prompt)
            exchange.account.result = attrs.evolve(documents.result(), spent=spent)
    return web.Response(body=body, content_type=_JSON)


def _estimated(account: Account, model: str, body: bytes) -> int:
    """Return the tokens that a request should use; its account has them, too."""
    account.expected = estimate(Asking.EMBEDDING, model, body, 0).expected
    return account.expected.prompt
