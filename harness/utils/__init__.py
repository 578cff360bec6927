"""General helpers: files, text, console output, devices, signals, downloads."""
