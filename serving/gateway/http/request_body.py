"""The body of a request, as it comes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class Disconnected(Exception):
    """The client has gone."""


class RequestBody:
    """The body of a request, as it comes.

    Args:
        receive: ASGI's.
        headers: of the request, by lower name.
    Attributes:
        declared_size: what the client says the size will be; 0 where it says nothing.
        is_complete: whether all of it has come.
    """

    def __init__(self, receive: Receive, headers: Mapping[bytes, bytes]) -> None:
        self._receive = receive
        declared = headers.get(b"content-length", b"")
        self.declared_size = int(declared) if declared.isdigit() else 0
        self.is_complete = False
        self._waits_for_leave = headers.get(b"expect", b"").lower() == b"100-continue"

    async def next_part(self) -> bytes:
        """What comes next. Raises Disconnected."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        self._waits_for_leave = False
        self.is_complete = not message.get("more_body", False)
        return message.get("body", b"")

    async def drain(self, seconds: float) -> None:
        """Reads the rest and forgets it, for some time at most.

        Most clients read no answer before all is sent. One that waits for leave to send is not given it.
        """
        if self._waits_for_leave:
            return
        try:
            async with asyncio.timeout(seconds):
                while not self.is_complete:
                    await self.next_part()
        except TimeoutError:
            return

    def replay(self, content: bytes) -> Receive:
        """What gives the application the body again, and then waits for the client to go."""
        messages: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

        async def receive() -> Message:
            return messages.pop() if messages else await self._receive()

        return receive
