"""One side of a conversation, as CPython's asyncio has it.

    peer.py server NAME            prints its port, and serves one client
    peer.py server NAME PATH       the same on a unix socket
    peer.py client NAME PORT|PATH

It ends with status 0 if the conversation went as it should. Works on Python 3.6 and later.
"""

import asyncio
import sys


# bytes((seed + 7 * i + 13 * (i >> 8)) & 255 for i in range(size)), a row of 256 at once
ROWS = [bytes((start + 7 * i) & 255 for i in range(256)) for start in range(256)]


def pattern(seed, size):
    rows = (ROWS[(seed + 13 * row) & 255] for row in range(size // 256 + 1))
    return b"".join(rows)[:size]


QUESTION = pattern(1, 300000)
ANSWER = pattern(2, 300000)
FROM_CLIENT = pattern(3, 1 << 20)
FROM_SERVER = pattern(4, 1 << 20)
LINES = 200


async def send(writer, data):
    for start in range(0, len(data), 10000):
        writer.write(data[start:start + 10000])
        await writer.drain()


async def expect(reader, data):
    assert await reader.readexactly(len(data)) == data


async def expect_all(reader, data):
    assert await reader.read(-1) == data
    assert reader.at_eof()


async def exchange(reader, writer, ours, theirs):
    await asyncio.gather(send(writer, ours), expect(reader, theirs))
    writer.write_eof()
    await expect_all(reader, b"")


class Server:
    @staticmethod
    async def lines_are_echoed(reader, writer):
        while True:
            line = await reader.readline()
            if not line:
                break
            writer.write(line)
            await writer.drain()

    @staticmethod
    async def the_client_ends_first(reader, writer):
        await expect_all(reader, QUESTION)
        await send(writer, ANSWER)

    @staticmethod
    async def the_server_ends_first(reader, writer):
        await send(writer, ANSWER)
        writer.write_eof()
        await expect_all(reader, QUESTION)

    @staticmethod
    async def both_send_much_at_once(reader, writer):
        await exchange(reader, writer, FROM_SERVER, FROM_CLIENT)


class Client:
    @staticmethod
    async def lines_are_echoed(reader, writer):
        for number in range(LINES):
            line = b"line %d\r\n" % number
            writer.write(line)
            assert await reader.readuntil(b"\r\n") == line
        writer.write_eof()
        await expect_all(reader, b"")

    @staticmethod
    async def the_client_ends_first(reader, writer):
        await send(writer, QUESTION)
        writer.write_eof()
        await expect_all(reader, ANSWER)

    @staticmethod
    async def the_server_ends_first(reader, writer):
        await expect_all(reader, ANSWER)
        await send(writer, QUESTION)

    @staticmethod
    async def both_send_much_at_once(reader, writer):
        await exchange(reader, writer, FROM_CLIENT, FROM_SERVER)


async def close(writer):
    writer.close()
    if hasattr(writer, "wait_closed"):  # since 3.7
        await writer.wait_closed()


async def serve(conversation, path=None, ssl=None):
    ended = asyncio.get_event_loop().create_future()

    async def handle(reader, writer):
        try:
            await conversation(reader, writer)
            await close(writer)
        except Exception as error:
            ended.set_exception(error)
        else:
            ended.set_result(None)

    if path is None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=ssl)
        print(server.sockets[0].getsockname()[1], flush=True)
    else:
        server = await asyncio.start_unix_server(handle, path)
        print(path, flush=True)
    await ended
    server.close()


async def connect(conversation, address):
    if address.isdigit():
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address))
    else:
        reader, writer = await asyncio.open_unix_connection(address)
    await conversation(reader, writer)
    await close(writer)


def main(role, name, *address):
    if role == "server":
        work = serve(getattr(Server, name), *address)
    else:
        work = connect(getattr(Client, name), *address)
    asyncio.new_event_loop().run_until_complete(work)


if __name__ == "__main__":
    main(*sys.argv[1:])
