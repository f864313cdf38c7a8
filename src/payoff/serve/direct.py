"""Direct: a route whose function reads the request itself and makes the answer itself."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class Direct(APIRoute):
    """Calls its function with the request, and nothing in between.

    FastAPI looks for parameters, bodies and dependencies at every request. A function that takes
    the request alone and gives a response needs none of it. It is documented like any other.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The function itself."""
        return self.endpoint
