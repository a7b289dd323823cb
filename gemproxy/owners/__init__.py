"""What Google binds to one project: files, caches, batches, interactions and their kin.

The project and the access key that made a name are recorded when an answer names it, and found
again when a request does, in its path or its body.
"""
