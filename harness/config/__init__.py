"""Configuration: compose it with Hydra, check it against a schema, and build the plug-ins that it names.

The options of the engine and their ranges are the fields in ``schema``. Those of a plug-in are its constructor
parameters or dataclass fields, with the range types in ``bounds``. ``instantiate`` checks both.
"""
