"""What outlives a restart, in the data directory: keys, rests, counts, homes, owners.

``Store`` is the whole. ``Vault`` encrypts, ``Database`` is the file ``pool.sqlite`` that all
processes of a machine share, and each of the other modules knows some of its tables.
"""
