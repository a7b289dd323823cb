"""The fake Gemini inside of the proxy, for what an operator tries out in the playground.

    wish     what a request asks of its fake: the answer, the cuts, how the model goes on
    stage    the source of credentials that leads such a request to a fake of its own

A request of the playground takes the way of every request of its route. Only the upstream is
another one, and no other request ever meets it.
"""
