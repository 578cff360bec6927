"""The engine of the benchmark: frozen encoders, layer mixes, the feature store, training, records and reports.

It knows no task by name. A task is the class that ``_target_`` names in its YAML file under ``conf/task``.
"""

__version__ = "0.1.0"
