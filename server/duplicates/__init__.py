"""Records that may be the same household or resident: suggested, with reasons, never merged."""
