"""Reveal what is masked: for a purpose it is held for, with a reason, and noted before.

Everything here goes through `server.accesslog.looking`, which notes and counts each look.
"""
