"""Sample."""


def documents(split):
    raise NotImplementedError


def conll(split):
    raise NotImplementedError
