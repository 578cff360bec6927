"""One run: its plan, its execution and its record."""
