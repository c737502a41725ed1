"""Erase people for good: content goes from tables, files and phones; ids and facts stay.

What is erased never comes back, whoever offers it again and whichever backup is restored.
"""
