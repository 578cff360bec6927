"""Reading comprehension."""
