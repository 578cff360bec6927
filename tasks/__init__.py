"""One file a task: reader, head, metric."""
