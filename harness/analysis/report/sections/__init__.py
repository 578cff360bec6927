"""The sections of a report about one block of settings, one file each.

A section is a function of the analysis of a block and of what the reader wants. It returns None if the runs have
nothing for it. To add one, write its file and list it in ``document.py``.
"""
