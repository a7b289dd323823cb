"""``gemproxy probe``: test gemproxy's assumptions about models with real ones.

It streams a few answers, cuts each on purpose, resumes it with the proxy's own core, and reports
for every model which assumption holds.

    command    the command: choose the models, ask, probe, report; exit codes
    options    the command line, and the key
    runner     the cases of every model, one after the other
    cases      all cases in their order
    trials     trials of seams in text, thoughts, documents, native continuation, the wire
    tools      trials of function calls, their signatures, functionResponse
    bench      the inputs and outcomes of trials
    prompts    the prompts
    attempts   cuts one answer, and resumes one
    cutting    the places where an answer is cut
    said       the content of one attempt, and its form on the wire
    judging    whether a resumed text joins the delivered one
    gemini     the API: lists, streams, waits for a quota, and the limit on requests
    models     the models to test if none is named
    report     findings as a JSON report and as a table
"""

from gemproxy.probe.command import run

__all__ = ["run"]
