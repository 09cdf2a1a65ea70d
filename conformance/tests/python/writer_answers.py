"""What asyncio's StreamWriter answers, step by step, on a real socket.

The first line of the output says which version this is. Then each line of the input is a step, a list
in JSON, and each line of the output what came of it: ["open", BYTES, ADDRESS] connects to the port or
path, with buffers of so many bytes in the system, and the others are the methods of Conversation. A
step that waits is given some turns of the loop, and then says so. Any CPython from 3.6 on.
"""

import asyncio
import json
import logging
import socket
import sys
import warnings

# For conditions that always come true.
LONG = 30

# For the system's queues to be as full as they get.
QUIET = 0.3

ROWS = [bytes((start + 7 * i) & 255 for i in range(256)) for start in range(256)]

DATA = b"".join(ROWS[(13 * row) & 255] for row in range(1 << 15))


def class_of(error):
    if isinstance(error, ConnectionResetError):
        return "reset" if error.errno else "lost"
    if isinstance(error, BrokenPipeError):
        return "broken_pipe"
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    if isinstance(error, RuntimeError) and "write_eof" in str(error):
        return "finished"
    if isinstance(error, ValueError):
        return "misuse"
    if isinstance(error, (AttributeError, TypeError)):
        return "crash"
    return repr(error)


def limits_of(transport):
    if hasattr(transport, "get_write_buffer_limits"):  # since 3.9
        return transport.get_write_buffer_limits()
    return transport._low_water, transport._high_water


class Conversation:
    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.transport = writer.transport
        self.waiting = None
        self.position = 0

    def pieces(self, sizes):
        """What is to be written next, so that what is refused can be seen from what arrives."""
        start = self.position
        for size in sizes:
            yield DATA[start:start + size]
            start += size

    async def write(self, size):
        self.writer.write(*self.pieces([size]))
        self.position += size

    async def write_lines(self, sizes):
        self.writer.writelines(list(self.pieces(sizes)))
        self.position += sum(sizes)

    async def write_until_it_fails(self):
        while True:
            self.writer.write(b"x")
            await self.writer.drain()
            await asyncio.sleep(0.001)

    async def write_eof(self):
        self.writer.write_eof()

    async def can_write_eof(self):
        return self.writer.can_write_eof()

    async def close(self):
        self.writer.close()

    async def abort(self):
        self.transport.abort()

    async def is_closing(self):
        return self.transport.is_closing()

    async def set_limits(self, low, high):
        self.transport.set_write_buffer_limits(low=self.amount(low), high=self.amount(high))

    def amount(self, amount):
        if isinstance(amount, list):
            return self.transport.get_write_buffer_size() + amount[0]
        return amount

    async def limits(self):
        return limits_of(self.transport)

    async def queue(self):
        return self.transport.get_write_buffer_size()

    async def settle(self):
        before = None
        while self.transport.get_write_buffer_size() != before:
            before = self.transport.get_write_buffer_size()
            await asyncio.sleep(QUIET)

    async def until_empty(self):
        while self.transport.get_write_buffer_size() > 0:
            await asyncio.sleep(0.001)

    async def drain(self):
        return await self.begin(self.writer.drain())

    async def drained(self):
        await self.writer.drain()

    async def wait_closed(self):
        if not hasattr(self.writer, "wait_closed"):  # since 3.7
            return "absent"
        return await self.begin(self.writer.wait_closed())

    async def closed(self):
        if not hasattr(self.writer, "wait_closed"):
            return "absent"
        await self.writer.wait_closed()

    async def begin(self, coroutine):
        assert self.waiting is None
        self.waiting = asyncio.ensure_future(coroutine)
        for _ in range(5):
            await asyncio.sleep(0)
            if self.waiting.done():
                return await self.finish()
        return "waits"

    async def finish(self):
        waiting, self.waiting = self.waiting, None
        if waiting is None:
            return "absent"  # there was no wait_closed
        await waiting

    async def give_up(self):
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            waiting.cancel()
            await asyncio.wait([waiting])

    async def end(self):
        await self.give_up()
        try:
            self.transport.abort()
        except AttributeError:
            pass  # it has ended

    async def read_exactly(self, size):
        await self.reader.readexactly(size)

    async def read_end(self):
        assert await self.reader.read(1) == b""
        return "ended"


async def answer(conversation, name, arguments):
    try:
        work = getattr(conversation, name)(*arguments)
        result = await asyncio.wait_for(asyncio.ensure_future(work), LONG)
        return "done" if result is None else result
    except (Exception, asyncio.CancelledError) as error:
        return class_of(error)


async def connect(size, address):
    family = socket.AF_INET if isinstance(address, int) else socket.AF_UNIX
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    sock.setblocking(False)
    where = ("127.0.0.1", address) if isinstance(address, int) else address
    await asyncio.get_event_loop().sock_connect(sock, where)
    if isinstance(address, int):
        return await asyncio.open_connection(sock=sock)
    return await asyncio.open_unix_connection(sock=sock)


async def main():
    loop = asyncio.get_event_loop()
    conversation = None
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            break
        name, *arguments = json.loads(line)
        if name == "open":
            if conversation is not None:
                await conversation.end()
            conversation = Conversation(*await connect(*arguments))
            result = "done"
        else:
            result = await answer(conversation, name, arguments)
        print(json.dumps(result), flush=True)


warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
print(json.dumps(sys.version_info[:3]), flush=True)
event_loop = asyncio.new_event_loop()
asyncio.set_event_loop(event_loop)
event_loop.run_until_complete(main())
