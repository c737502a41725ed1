"""Reference clients: the phone of a grid worker and the console of a dispatcher.

They speak to a server over HTTP only and know the protocol from `sync` alone, so they are also
the black-box end of the system's tests. Clocks and chance come from the caller.
"""
