"""One side of a conversation over TLS, as CPython's asyncio has it.

    tls_peer.py server BEGIN NAME           prints its port, and serves one client
    tls_peer.py client BEGIN NAME PORT

BEGIN is `at_once`, or `later` for TLS that begins in the middle of the stream, which asyncio's
streams can since 3.11. The certificates are in the current directory. It ends with status 0 if the
conversation went as it should. Works on Python 3.6 and later.
"""

import asyncio
import ssl
import sys

import peer
from peer import LINES, close, expect, send, serve

# As long as a period that is no multiple of anything.
PERIOD = bytes(range(251))
MUCH = 1 << 20


def pattern(seed, size):
    return ((PERIOD[seed:] + PERIOD[:seed]) * (size // len(PERIOD) + 1))[:size]


async def exchange(reader, writer, ours, theirs):
    await asyncio.gather(send(writer, ours), expect(reader, theirs))


class Server:
    lines_are_echoed = staticmethod(peer.Server.lines_are_echoed)

    @staticmethod
    async def the_client_sends_much_and_ends(reader, writer):
        assert await reader.read(-1) == pattern(1, MUCH)

    @staticmethod
    async def the_server_sends_much_and_ends(reader, writer):
        await send(writer, pattern(2, MUCH))

    @staticmethod
    async def the_client_ends_its_question_if_it_can(reader, writer):
        line = await reader.readline()
        # A client that ends after the question has done so by now.
        await asyncio.sleep(0.1)
        writer.write(line)
        await writer.drain()

    @staticmethod
    async def the_peer_leaves_before_the_answer(reader, writer):
        assert await reader.readline() == b"question\n"
        writer.write(b"go\n")
        await writer.drain()

    @staticmethod
    async def both_send_much_at_once(reader, writer):
        await exchange(reader, writer, pattern(2, MUCH), pattern(1, MUCH))
        assert await reader.read(-1) == b""


class Client:
    @staticmethod
    async def lines_are_echoed(reader, writer):
        for number in range(LINES):
            line = b"line %d\r\n" % number
            writer.write(line)
            assert await reader.readuntil(b"\r\n") == line

    @staticmethod
    async def the_client_sends_much_and_ends(reader, writer):
        await send(writer, pattern(1, MUCH))

    @staticmethod
    async def the_server_sends_much_and_ends(reader, writer):
        assert await reader.read(-1) == pattern(2, MUCH)

    @staticmethod
    async def the_client_ends_its_question_if_it_can(reader, writer):
        writer.write(b"question\n")
        if writer.can_write_eof():
            writer.write_eof()
        assert await reader.read(-1) == b"question\n"

    @staticmethod
    async def the_peer_leaves_before_the_answer(reader, writer):
        writer.write(b"question\n")
        assert await reader.readline() == b"go\n"

    @staticmethod
    async def both_send_much_at_once(reader, writer):
        await exchange(reader, writer, pattern(1, MUCH), pattern(2, MUCH))


async def listen(begin, conversation):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("server.pem", "server.key")
    if begin == "at_once":
        return await serve(conversation, ssl=context)

    async def upgrade(reader, writer):
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"go ahead\n")
        await writer.start_tls(context)
        await conversation(reader, writer)

    await serve(upgrade)


async def connect(begin, conversation, port):
    context = ssl.create_default_context(cafile="ca.pem")
    if begin == "at_once":
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", int(port), ssl=context, server_hostname="localhost")
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"go ahead\n"
        await writer.start_tls(context, server_hostname="localhost")
    await conversation(reader, writer)
    await close(writer)


def main(role, begin, name, *port):
    if role == "server":
        work = listen(begin, getattr(Server, name))
    else:
        work = connect(begin, getattr(Client, name), *port)
    loop = asyncio.new_event_loop()
    complaints = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    loop.run_until_complete(work)
    assert not complaints, complaints


main(*sys.argv[1:])
