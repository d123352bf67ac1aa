"""The proxy cuts, delays and breaks as it is told, and lets all else through unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import permutations
from random import Random

import pytest
from tests.chaos.echo import echo
from tests.chaos.proxy import Direction, Faults, Mesh, Proxy
from tests.chaos.test_processes import Talk


@asynccontextmanager
async def echo_server() -> AsyncIterator[int]:
    """An echo server in this loop; its port."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


async def through(proxy: Proxy) -> Talk:
    """A connection through a proxy."""
    return await Talk.to(f"tcp://127.0.0.1:{proxy.port}")


def with_proxy(faults: Faults, story: Callable[[Proxy], Awaitable[None]]) -> None:
    """Runs a story with a proxy before an echo server."""

    async def main() -> None:
        async with echo_server() as port, Proxy("127.0.0.1", port, seed=1, faults=faults) as proxy:
            await story(proxy)

    asyncio.run(main())


async def is_silent(listening: asyncio.Task[None]) -> bool:
    """Whether nothing comes in a time in which it would."""
    done, _ = await asyncio.wait({listening}, timeout=0.05)
    return not done


def test_all_bytes_come_in_order_however_late() -> None:
    data = Random(3).randbytes(2_000_000)

    async def story(proxy: Proxy) -> None:
        talk = await through(proxy)
        await talk.echo(data)
        talk.close()

    with_proxy(Faults(), story)
    with_proxy(Faults(delay_s_min=0.0, delay_s_max=0.002), story)


def test_delay() -> None:
    async def story(proxy: Proxy) -> None:
        talk = await through(proxy)
        begin = asyncio.get_running_loop().time()
        await talk.echo(b"slow")
        assert asyncio.get_running_loop().time() - begin >= 0.1  # there, and back
        talk.close()

    with_proxy(Faults(delay_s_min=0.05, delay_s_max=0.06), story)


@pytest.mark.parametrize(
    "directions", [(), (Direction.FORWARD,), (Direction.BACKWARD,), tuple(Direction)]
)
def test_what_a_cut_holds_comes_when_it_is_healed(directions: tuple[Direction, ...]) -> None:
    async def story(proxy: Proxy) -> None:
        talk = await through(proxy)
        await talk.echo(b"before")
        proxy.cut(*directions)
        talk.say(b"late")
        heard = asyncio.create_task(talk.hear(b"late"))
        assert await is_silent(heard)
        proxy.heal()
        await heard
        assert proxy.broken == 0
        talk.close()

    with_proxy(Faults(), story)


def test_a_cut_in_one_direction_is_that() -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readexactly(4))
        writer.write(b"yes!")
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        port = int(server.sockets[0].getsockname()[1])
        async with Proxy("127.0.0.1", port, seed=1) as proxy:
            talk = await through(proxy)
            proxy.cut(Direction.BACKWARD)
            talk.say(b"heed")
            answer = asyncio.create_task(talk.hear(b"yes!"))
            assert await is_silent(answer)
            assert heard == [b"heed"]
            proxy.heal()
            await answer
            talk.close()
        server.close()

    asyncio.run(main())


def test_broken_connections_can_be_made_again() -> None:
    async def story(proxy: Proxy) -> None:
        talk = await through(proxy)
        await talk.echo(b"one")
        proxy.break_connections()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await talk.hear(b"two")
        talk.close()
        again = await through(proxy)
        await again.echo(b"two")
        assert proxy.broken == 1
        again.close()

    with_proxy(Faults(), story)


def test_refusing_until_it_is_healed() -> None:
    async def story(proxy: Proxy) -> None:
        proxy.refuse()
        talk = await through(proxy)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await talk.echo(b"no")
        talk.close()
        proxy.heal()
        again = await through(proxy)
        await again.echo(b"yes")
        again.close()

    with_proxy(Faults(), story)


def test_a_target_that_is_not_there_breaks_the_connection() -> None:
    async def main() -> None:
        async with echo_server() as port:
            pass
        async with Proxy("127.0.0.1", port, seed=1) as proxy:
            talk = await through(proxy)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await talk.echo(b"anybody")
            talk.close()

    asyncio.run(main())


def test_connections_break_by_chance_of_the_seed() -> None:
    async def story(proxy: Proxy) -> None:
        for _ in range(5):
            talk = await through(proxy)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await talk.hear(b"nobody says this")
            talk.close()
        assert proxy.broken == 5

    with_proxy(Faults(lasting_s_mean=0.01), story)


def test_a_mesh_is_cut_in_parts_and_one_way() -> None:
    async def main() -> None:
        async with echo_server() as port:
            targets = dict.fromkeys((1, 2, 3), ("127.0.0.1", port))
            async with Mesh(targets, seed=1) as mesh:
                assert len(set(mesh.contact_points(1) + mesh.contact_points(2))) == 4
                mesh.isolate(1)
                await talk_only(mesh, {(2, 3), (3, 2)})
                mesh.heal()
                mesh.cut_one_way(1, 2)
                await talk_only(mesh, {(1, 3), (2, 1), (2, 3), (3, 1), (3, 2)})
                mesh.heal()
                await talk_only(mesh, set(permutations((1, 2, 3), 2)))

    asyncio.run(main())


async def talk_only(mesh: Mesh, ways: set[tuple[int, int]]) -> None:
    """Waits for an echo on these ways, and sees that there is none on the others."""
    talks = {way: await through(mesh.proxy(*way)) for way in permutations((1, 2, 3), 2)}
    echoes = {way: asyncio.create_task(talk.echo(b"hello")) for way, talk in talks.items()}
    await asyncio.gather(*(echoes.pop(way) for way in ways))
    for heard in echoes.values():
        assert await is_silent(heard)
        heard.cancel()
    for talk in talks.values():
        talk.close()
