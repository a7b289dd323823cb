"""The use of an answer, which determines how it is requested and timed.

A route that reads an answer needs it uncompressed; one that passes it on leaves the coding to the
client. A reader that watches a stream knows the normal silence better than a timer of the
connection.
"""

import attrs


@attrs.frozen
class Want:
    """The use of an answer.

    ``identity`` asks for an uncompressed answer: always, never, or (None) in place of the client's
    request for a coding. ``unpacked`` decodes a coding that comes nevertheless. ``watched``: the
    caller keeps the time of the body. ``follows``: a redirect may be followed. ``sparing``: nothing
    of the body is read ahead of its reader.
    """

    identity: bool | None
    unpacked: bool = False
    watched: bool = False
    follows: bool = False
    sparing: bool = False


STREAM = Want(identity=True, unpacked=True, watched=True)
"""To be read event by event."""
PICTURES = Want(identity=True, unpacked=True, watched=True, sparing=True)
"""To be read event by event, perhaps much later: the events have pictures."""
EVENTS = Want(identity=True, watched=True)
"""To be read event by event if it is a stream, else to be passed on as it came."""
DOCUMENT = Want(identity=None, follows=True)
"""To be read as a whole."""
PICTURE = Want(identity=None, follows=True, sparing=True)
"""To be read as a whole, perhaps much later."""
BYTES = Want(identity=False, follows=True)
"""To be passed on as it comes."""
