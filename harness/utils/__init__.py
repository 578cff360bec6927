"""General helpers: files, text, console output, signals, downloads."""
