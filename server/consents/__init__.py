"""What people were told and what they agreed to: which notice, what for, when, how, by whom.

Entries are added and never changed: a consent is withdrawn by one more entry.
"""
