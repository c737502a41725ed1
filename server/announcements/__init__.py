"""Announcements (公告): what an office tells everybody who works below an area, until a date.

An announcement lives in the `area:` bucket of its area. It is made by a dispatcher for an area
inside the own one, and withdrawn by putting it away.
"""
