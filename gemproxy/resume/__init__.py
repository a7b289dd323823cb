"""Answers that outlive the connections of their clients.

A request with an ``Idempotency-Key`` makes a *stream*: a generation that a task of its own runs,
and that writes its frames into a *log*. Clients are *followers* of the log, the first one like any
other. A client whose connection broke comes back with the number of the last chunk it got, and
follows on from there.

- The log stands behind the repair: its frames are those that a client of Gemini's would get,
  native, each of them once. What a repair makes of an interruption is in the log already.
- The task belongs to the keeper (``keeper``), not to a request. It has its own exchange and
  account, and so one row, one hold, one charge and one record. Followers have none of these.
- A follower asks for what comes behind its place. If there is something it writes it, else it waits
  for news, which carry no data. So replay and live are the same code, and nothing can be lost or
  doubled where the one becomes the other.
- A frame is in the store before it is in the log, and in the log before any client has it. So no
  client is ever ahead of what another process could go on from.
- Each follower has a voice of its own, which translates for its dialect; ``counting`` says what a
  number counts there.
"""
