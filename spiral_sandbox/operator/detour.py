"""The way over REST that the server's gRPC side takes when it cannot reach its handlers: a real call of its own."""

import asyncio
from typing import Any

import requests

from spiral_contract.operations import OPERATIONS
from spiral_sandbox.connectors.refusal import Code, Refusal
from spiral_sandbox.operator.call import DEADLINE, FALLBACK, IDEMPOTENCY_KEY, REPLAYED, REQUEST_ID, Answer, Call
from spiral_sandbox.tls import Tls

_PASSED_ON = ("authorization", REQUEST_ID, IDEMPOTENCY_KEY, DEADLINE)
_TIMEOUT_S = 15.0


class Detour:
    """Calls the server's own REST side at an address, with the server's own certificate."""

    def __init__(self, address: str, tls: Tls | None) -> None:
        self._address = address
        self._tls = tls

    async def answer(self, call: Call) -> Answer:
        """REST's answer to the call; raises `Refusal` with what REST says, or UNAVAILABLE where it says nothing."""
        fields = await call.read()
        headers = {name: call.values(name)[0] for name in _PASSED_ON if call.values(name)}
        try:
            reply = await asyncio.to_thread(self._call, call.operation, fields, {**headers, FALLBACK: "rest"})
            said = reply.json()
        except (requests.RequestException, ValueError) as error:
            raise Refusal(Code.UNAVAILABLE, "detour", f"REST gave no answer either ({type(error).__name__})") from error
        if reply.status_code != Code.OK.value:
            raise Refusal(Code(reply.status_code), said["reason"], said["detail"])
        kept = {name: reply.headers[name] for name in (REQUEST_ID, REPLAYED) if name in reply.headers}
        return Answer(said, {**kept, FALLBACK: "rest"})

    def _call(self, operation: str, fields: dict[str, Any], headers: dict[str, str]) -> requests.Response:
        row = OPERATIONS[operation]
        with requests.Session() as session:
            session.trust_env = False
            if self._tls is not None:
                session.verify, session.cert = str(self._tls.ca), (str(self._tls.cert), str(self._tls.key))
            return session.request(
                row.rest_method, self._address + row.rest_path, json=fields, headers=headers, timeout=_TIMEOUT_S,
                allow_redirects=False,
            )  # fmt: skip
