"""Break the glass: read the registry outside one's own area for a while, and be reviewed.

It widens what is read, never what is written. Every entry of the access log that is made
through it names it.
"""
