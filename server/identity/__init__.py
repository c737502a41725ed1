"""Who is asking: accounts with a role and an area, opaque bearer tokens, enrolled devices.

`principal` holds the values, `access` the dependencies every endpoint declares, `queries` the
SQL, `endpoints` the calls about devices. A token is 256 random bits; its SHA-256 is stored.
"""
