"""One folder for each task, and ``common`` for the parts that several tasks share."""
