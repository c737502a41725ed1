"""What happened to one record: every mutation about it, in the order of taking effect."""
