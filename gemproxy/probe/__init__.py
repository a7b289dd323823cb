"""``gemproxy probe``: try out with real models what gemproxy assumes about them.

It streams a few answers, cuts each on purpose, resumes it with the same core that the proxy
uses, and reports for every model which assumption holds.

    command    the command: choose the models, ask, probe, report; exit codes
    options    the command line, and the key
    runner     the cases of every model, one after the other
    cases      all cases: what is tried, in which order
    trials     how: seams in text, thoughts, documents, native continuation, the wire
    tools      how: function calls, their signatures, functionResponse
    bench      what a trial gets and gives
    prompts    what the models are asked
    attempts   one answer cut, and one resumed
    cutting    where an answer is cut
    said       what one attempt said, and what it looked like on the wire
    judging    whether a resumed text joins the delivered one
    gemini     the API: lists, streams, waits for a quota, and the bound on requests
    models     which models are tried when none is named
    report     findings as a JSON report and as a table
"""

from gemproxy.probe.command import run

__all__ = ["run"]
