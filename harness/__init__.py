"""The engine of the benchmark: encoders, mixes, the feature store, training and records.

It knows no task by name; a task is the dotted name that stands in its YAML under ``conf/task``.
"""

__version__ = "0.1.0"
