"""Photos and recordings: resumable uploads (tus 1.0), the media store, and who may see what.

The bytes travel apart from the records that name them by hash. Whatever is served was stripped
of metadata first, in a process of its own.
"""
