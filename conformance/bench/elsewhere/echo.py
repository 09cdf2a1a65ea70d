"""An echo of lines by asyncio's streams, or with uvloop's loop; ends with its standard input."""

import asyncio
import sys


async def echo(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if "uvloop" in sys.argv:
    import uvloop

    uvloop.install()
asyncio.run(main())
