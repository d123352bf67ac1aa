"""A program that stands in for a broker where the tools of these tests are tested: it takes a
broker's options, says that it is ready as a broker does, and echoes what comes to its ports.

It counts its starts in its data folder, so that one sees whether that was kept. Raises what its
sockets raise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Gives back what it gets."""
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main() -> None:
    """Runs until it is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["broker"])
    parser.add_argument("--data", type=Path, required=True)
    for name in ("--host", "--cluster-host", "--contact-points"):
        parser.add_argument(name, default="127.0.0.1")
    for name in (
        "--node-id",
        "--port",
        "--cluster-port",
        "--partitions",
        "--replication-factor",
        "--cluster-size",
    ):
        parser.add_argument(name, type=int, default=0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    given.data.mkdir(parents=True, exist_ok=True)
    with (given.data / "starts").open("a") as starts:
        starts.write(f"{given.node_id}\n")
    await asyncio.start_server(echo, given.host, given.cluster_port)
    server = await asyncio.start_server(echo, given.host, given.port)
    host, port = server.sockets[0].getsockname()
    sys.stdout.write(json.dumps({"endpoint": f"tcp://{host}:{port}"}) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
