"""The map page: static files that ask the API for layers with the visitor's own token.

The page itself holds no data and needs no token; it loads nothing from anywhere else, so it
works without the internet.
"""
