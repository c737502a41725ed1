"""Requests of people about their own data: taken in, worked on, answered in time.

Who asked, how it was made sure that it is them, who did what and when: no copy of a document
and no free text; ids, times and words of lists only.
"""
