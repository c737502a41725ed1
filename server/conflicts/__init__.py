"""Fields on which two authors disagree, and the one act that settles it: a person's choice."""
