"""The engine of the benchmark: frozen encoders, layer mixes, the feature store, training, records and reports.

It knows no task by name. A task is the class that ``_target_`` names in its YAML file under ``conf/task``.
"""

import os

# OpenMP reads this once, when torch is imported, which every module of this package does after this line. Its threads
# otherwise spin while they wait for each other; if another process uses one of the cores, two threads then need about
# seven times as long. No result changes.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
