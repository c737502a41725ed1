"""The five-level place tree, and what part of it a request may see.

Every row that belongs to a place carries the number of its grid, and a principal's scope is a
few intervals of such numbers, so "inside my area" is one comparison in any query.
"""
