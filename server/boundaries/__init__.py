"""Changes of boundaries: drawn up as a draft, validated, previewed, and published as a whole.

A draft moves nothing. Publishing is one transaction through the one write path: grids change,
what lives on moved ground follows, and phones hear of it through the feed.
"""
