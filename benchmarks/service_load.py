"""Clients of a service, in a process of their own; see service.py.

    python benchmarks/service_load.py PORT CLIENTS SECONDS ROWS.json [ADDRESS] [list]

With ``list`` a request holds a list with the one text, as BentoML's batches want it.

Each keeps one connection and asks again as soon as it is answered. Prints one JSON line: answers a
second, quantiles of the seconds that each took, and how many were no success.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path


async def client(
    port: int, bodies: list[bytes], first: int, until: float, took: list[float]
) -> int:
    """Ask until the time is over; gives how many answers were no success."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    place, failed = first, 0
    while time.perf_counter() < until:
        begun = time.perf_counter()
        writer.write(bodies[place % len(bodies)])
        head = await reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        at = lower.index(b"content-length:") + 15
        await reader.readexactly(int(lower[at : lower.index(b"\r", at)]))
        took.append(time.perf_counter() - begun)
        failed += not head.startswith(b"HTTP/1.1 200")
        place += 1
    writer.close()
    return failed


async def ask(port: int, n_clients: int, seconds: float, bodies: list[bytes]) -> dict[str, float]:
    """All clients at once, after a second of warming up that is not counted."""
    warm: list[float] = []
    await client(port, bodies, 0, time.perf_counter() + 1.0, warm)
    took: list[float] = []
    begun = time.perf_counter()
    jobs = [client(port, bodies, 17 * i, begun + seconds, took) for i in range(n_clients)]
    failed = sum(await asyncio.gather(*jobs))
    spent = time.perf_counter() - begun
    took.sort()
    return {
        "answers_per_s": len(took) / spent,
        "p50_ms": 1e3 * took[len(took) // 2],
        "p99_ms": 1e3 * took[int(0.99 * len(took))],
        "n": len(took),
        "failed": failed,
    }


def main() -> None:
    port, n_clients, seconds, rows = sys.argv[1:5]
    address = sys.argv[5] if len(sys.argv) > 5 else "/v1/decide"
    listed = sys.argv[6:] == ["list"]
    bodies = []
    for text in json.loads(Path(rows).read_text("utf-8")):
        body = json.dumps({"text": [text] if listed else text}).encode()
        head = (
            f"POST {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        bodies.append(head.encode() + body)
    print(json.dumps(asyncio.run(ask(int(port), int(n_clients), float(seconds), bodies))))


if __name__ == "__main__":
    main()
