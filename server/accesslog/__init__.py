"""The access log: every answer with personal data is noted before it is given, and sealed.

A reader is told nothing that is not in the log. One sealer puts the entries into a chain of
hashes whose end is also written to a file outside the database, so that an entry changed, left
out or cut off is found.
"""
