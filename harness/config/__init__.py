"""Configuration: compose it with Hydra, check it against a schema, and build the plug-ins that it names."""
