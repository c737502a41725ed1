"""Sealed values: authenticated encryption of single fields, and the keys it needs.

A value is sealed by the data key of its household. A data key lies in the vault, a folder
outside the database, wrapped by a district key. District keys come from outside and are never
stored by the server. Whoever has the database has neither, and a backup of it holds nothing
that can be read once a data key is destroyed.
"""
