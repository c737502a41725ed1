"""Service points: the offices that answer for an area, where they are and when they are open.

An office is a counter with an address and opening hours, nobody's home and nobody's shift. It
is not synced; every version of it is kept, so that a place can be asked for at any moment.
"""
