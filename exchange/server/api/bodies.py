"""What the bodies of requests have in common."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class RequestBody(BaseModel):
    """What a request says; an unknown field, such as a misspelt one, is refused."""

    model_config = ConfigDict(extra="forbid")


Amount = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=6, description="Yuan, at most six decimals.")]
