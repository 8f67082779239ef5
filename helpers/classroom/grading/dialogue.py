"""Requests and answers between the student's process and the judge, and stand-ins for objects.

Either side may ask while it is being asked: a test may hand a function of its own to a student's
function, which calls it back. Every request carries a number drawn at random; an answer with
another number is a forgery and ends the conversation.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from classroom.grading.channel import Channel, DeadlineError, ProtocolError
from classroom.grading.codec import Decoder, Encoder, TooLargeError

MOST_EXPORTS = 200_000


class DiedError(Exception):
    """A copy of the student's process ended while it was asked something."""


class Dialogue:
    """One side of a conversation.

    Parameters
    ----------
    channel : Channel
        The connection.
    serve : callable
        Answers a request of the other side.
    stand_in : callable
        Makes the local object for a handle of the other side.
    """

    def __init__(
        self,
        channel: Channel,
        serve: Callable[[dict[str, Any]], Any],
        stand_in: Callable[[dict[str, Any]], object],
    ) -> None:
        self.channel = channel
        self._serve, self._stand_in = serve, stand_in
        self.report: Callable[[str], None] = lambda what: None
        self.exported: dict[int, object] = {}
        self._known: dict[int, int] = {}
        self.foreign: dict[int, int] = {}
        self._kept: list[object] = []  # an id must not be used again while it is known
        self._encoder = Encoder(self._export)
        self._decoder = Decoder(self._resolve)

    def encode(self, value: object) -> Any:
        """Return a value as message data; a stand-in goes back as what it stands for."""
        return self._encoder.encode(value)

    def decode(self, data: Any) -> Any:
        """Return the value of message data."""
        return self._decoder.decode(data)

    def _export(self, value: object, use: str) -> int:
        theirs = self.foreign.get(id(value))
        if theirs is not None:
            return -theirs
        number = self._known.get(id(value))
        if number is None or self.exported.get(number) is not value:
            if len(self.exported) >= MOST_EXPORTS:
                raise TooLargeError("too many objects")
            number = len(self.exported) + 1
            self.exported[number] = value
            self._known[id(value)] = number
        return number

    def _resolve(self, data: dict[str, Any]) -> object:
        number = data.get("i")
        if isinstance(number, int) and number < 0:
            return self.exported[-number]
        made = self._stand_in(data)
        if isinstance(number, int):
            self.foreign[id(made)] = number
            self._kept.append(made)
        return made

    def ask(
        self,
        request: dict[str, Any],
        deadline: float | None = None,
        late: Callable[[], float] | None = None,
    ) -> dict[str, Any]:
        """Send a request and return the answer; requests of the other side are served meanwhile.

        At the deadline `late` is called; it gives a new deadline, or raises.
        """
        number = secrets.randbits(62)
        self.channel.send({**request, "ask": number})
        while True:
            try:
                message = self.channel.receive(deadline)
            except DeadlineError:
                if late is None:
                    raise
                deadline = late()
                continue
            if not isinstance(message, dict):
                raise ProtocolError("a message that is no object")
            if "report" in message:
                self.report(str(message["report"])[:200])
            elif "ask" in message:
                self.answer(message)
            elif message.get("answer") == number:
                return message
            else:
                raise ProtocolError("an answer that nobody asked for")

    def answer(self, request: dict[str, Any]) -> None:
        """Serve one request of the other side."""
        reply = self._serve(request)
        self.channel.send({**reply, "answer": request["ask"]})


def after(seconds: float) -> float:
    """Return the time of `time.monotonic` that many seconds from now."""
    return time.monotonic() + seconds
