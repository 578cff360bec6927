"""Types that carry the range of an option, declared once, at the field: ``hidden_dim: Positive = 200``.

``harness.config.instantiate`` checks the range, both for fields of dataclasses and for constructor parameters of
plug-ins.
"""

from typing import Annotated

from pydantic import Field

Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Dropout = Annotated[float, Field(ge=0, lt=1)]  # the probability of dropping a value
Fraction = Annotated[float, Field(gt=0, le=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Threads = Annotated[int, Field(ge=1, le=4096)]
