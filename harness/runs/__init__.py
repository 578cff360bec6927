"""One run: its plan, its execution, its record."""
