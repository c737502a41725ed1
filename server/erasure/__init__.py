"""Erase people for good: their content goes from every table, file and phone; ids and facts stay.

What is erased never comes back, whoever offers it again and whichever backup is restored.
"""
