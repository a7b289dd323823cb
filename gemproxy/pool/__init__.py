"""The operator's keys: which of them serves an attempt, and what their answers teach.

Google counts quota by project and model, so a key is a credential of a project, and cooldowns and
counts belong to a project and a model. Everything here is sans-IO: the time comes as an argument,
in seconds of the Unix clock, because days and stored rests outlive the process. ``lending`` is the
I/O around it, ``store`` keeps what outlives a restart.
"""
