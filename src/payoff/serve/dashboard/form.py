"""A form that a page sent."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from fastapi import Request

from payoff.core.errors import ServiceError
from payoff.serve.bodies import read_body

_MOST_FIELDS = 200


class Form:
    """The fields of a form.

    Args:
        fields: Values by name.

    Example:
        >>> form = Form({"label": ["refund"], "also": ["r-1", "r-2"]})
        >>> form.one("label"), form.one("person"), form.all("also")
        ('refund', '', ['r-1', 'r-2'])
    """

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self._fields = fields

    @classmethod
    async def read(cls, request: Request, max_bytes: int) -> Form:
        """The form in a request.

        Raises:
            ServiceError: PF701 where it is none, PF702 where it is too large.
        """
        body = await read_body(request, max_bytes)
        try:
            return cls(
                parse_qs(
                    body.decode("ascii"),
                    keep_blank_values=True,
                    errors="strict",
                    max_num_fields=_MOST_FIELDS,
                )
            )
        except ValueError as error:
            raise ServiceError("PF701", "form", "it is no form", expected="fields") from error

    def one(self, name: str) -> str:
        """The first value of a field; empty where there is none."""
        return self._fields.get(name, [""])[0]

    def all(self, name: str) -> list[str]:
        """All values of a field."""
        return self._fields.get(name, [])
