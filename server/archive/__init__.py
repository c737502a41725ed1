"""Put a record of any kind away as history, or bring it back; phones then drop or get it.

Nothing is deleted: what was put away keeps its values, merges what still arrives about it, and
is found in lists that ask for it.
"""
