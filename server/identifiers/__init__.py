"""Identity numbers of residents: off unless a purpose is named, sealed, and never synced.

They live in a table of their own, outside records, feeds, layers and history. One call shows
one number, for the purpose it is kept for, and that is written down before it is shown.
"""
