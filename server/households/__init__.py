"""The household registry: households, their residents, the visits paid to them.

Only workers (in the grids assigned to them) and dispatchers (in their area) use it;
analysts and administrators may not, and no layer shows it.
"""
