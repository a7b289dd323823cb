"""Pictures that are kept for a while, so that a link can stand for their bytes.

    names      128 random bits and the type: all that a picture is known by
    providers  the storages by name: host, style, region, and what each of them needs
    shelf      what a place for pictures can do, and how it fails
    objects    obstore, and the words for its failures
    memory, folder, bucket   the places: this process, a directory, an object store
    health     whether the place works
    store      all of it: size, type, links, expiry

One library, obstore, drives all places.
"""
