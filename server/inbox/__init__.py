"""What waits for a person: held and quarantined work, and workers who share a phone."""
