"""One run: its plan, its execution and its record.

``plan`` computes the run's identity, which names its folder. ``run`` skips a run whose folder has a finished record,
unless ``overwrite=true``. ``harness.config.schema`` lists the options that are not part of the identity.
"""
