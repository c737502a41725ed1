"""Assignments: which worker answers for which area, from when until when.

Append-only: an assignment is made for now or later and its end is set once, because what a
phone did is judged by the assignment of that time, and a judgement is never made again.
"""
