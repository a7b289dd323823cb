"""One answer, made of attempts, and the reader that it goes to.

``generation`` runs the attempts, ``kinds`` has what differs between streams and interactions, and
``pump`` moves the bytes without a task. Frames go to a ``reader``: the client's connection
(``connection``), or what makes one response of them (``collecting``).
"""
