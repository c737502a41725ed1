"""Registers: the only way to take personal data out of the registry in bulk.

A register says what for, which columns and of which area, and until when. Its file is made
from the registry at each download, marked with who took it and why, and noted in the access
log; it is never stored.
"""
