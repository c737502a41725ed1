"""Programs for developers only: nothing here ships in the wheel or runs in production."""
