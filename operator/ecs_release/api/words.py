"""Bounded texts and numbers that statuses are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Text = Annotated[str, Field(max_length=1024)]
Word = Annotated[str, Field(max_length=256)]
Arn = Annotated[str, Field(max_length=2048)]
StatusDigest = Annotated[str, Field(max_length=71)]
Count = Annotated[int, Field(ge=0, le=1000000)]
Generation = Annotated[int, Field(ge=-1, le=2**62)]
ReleaseNumber = Annotated[int, Field(ge=1, le=9_999_999_999)]
"""Ten digits: the ledger sorts by them."""
