"""The names of asyncio's streams: functions, classes, methods, arguments and attributes.

    stream_names.py                     prints the version of this interpreter and its names
    stream_names.py PYTHON PYTHON...    prints the list of all of them, each with its versions

The list is `adapters/driver/tests/asyncio_names.txt`; it is made of Python 3.6 to 3.13 and of what
was written down by hand below. Works on Python 3.6 and later.
"""

import asyncio
import inspect
import subprocess
import sys

SPECIAL = {
    "__aenter__", "__aexit__", "__aiter__", "__anext__", "__del__", "__reduce__", "__repr__",
}

# What no interpreter lists: the names that `get_extra_info` takes, and what only releases before
# 3.8 had. Python 3.14 and 3.15 add no public name and remove none.
BY_HAND = """
get_extra_info('cipher')                        3.6
get_extra_info('compression')                   3.6
get_extra_info('peercert')                      3.6
get_extra_info('peername')                      3.6
get_extra_info('pipe')                          3.6
get_extra_info('socket')                        3.6
get_extra_info('sockname')                      3.6
get_extra_info('ssl_object')                    3.6
get_extra_info('sslcontext')                    3.6
get_extra_info('subprocess')                    3.6
StreamWriter.aclose()                           3.8 alpha
StreamWriter.awrite()                           3.8 alpha
StreamWriter.awrite(data=)                      3.8 alpha
connect()                                       3.8 beta
async with connect()                            3.8 beta
connect(family=)                                3.8 beta
connect(flags=)                                 3.8 beta
connect(happy_eyeballs_delay=)                  3.8 beta
connect(host=)                                  3.8 beta
connect(interleave=)                            3.8 beta
connect(limit=)                                 3.8 beta
connect(local_addr=)                            3.8 beta
connect(port=)                                  3.8 beta
connect(proto=)                                 3.8 beta
connect(server_hostname=)                       3.8 beta
connect(sock=)                                  3.8 beta
connect(ssl=)                                   3.8 beta
connect(ssl_handshake_timeout=)                 3.8 beta
connect_read_pipe()                             3.8 beta
connect_read_pipe(limit=)                       3.8 beta
connect_read_pipe(pipe=)                        3.8 beta
connect_unix()                                  3.8 beta
connect_unix(limit=)                            3.8 beta
connect_unix(path=)                             3.8 beta
connect_unix(server_hostname=)                  3.8 beta
connect_unix(sock=)                             3.8 beta
connect_unix(ssl=)                              3.8 beta
connect_unix(ssl_handshake_timeout=)            3.8 beta
connect_write_pipe()                            3.8 beta
connect_write_pipe(limit=)                      3.8 beta
connect_write_pipe(pipe=)                       3.8 beta
Stream                                          3.8 beta
Stream.__aenter__()                             3.8 beta
Stream.__aexit__()                              3.8 beta
Stream.__aiter__()                              3.8 beta
Stream.__anext__()                              3.8 beta
Stream.__del__()                                3.8 beta
Stream.__repr__()                               3.8 beta
Stream.abort()                                  3.8 beta
Stream.at_eof()                                 3.8 beta
Stream.can_write_eof()                          3.8 beta
Stream.close()                                  3.8 beta
Stream.drain()                                  3.8 beta
Stream.exception()                              3.8 beta
Stream.feed_data()                              3.8 beta
Stream.feed_data(data=)                         3.8 beta
Stream.feed_eof()                               3.8 beta
Stream.get_extra_info()                         3.8 beta
Stream.get_extra_info(default=)                 3.8 beta
Stream.get_extra_info(name=)                    3.8 beta
Stream.is_closing()                             3.8 beta
Stream.is_server_side()                         3.8 beta
Stream.mode                                     3.8 beta
Stream.read()                                   3.8 beta
Stream.read(n=)                                 3.8 beta
Stream.readexactly()                            3.8 beta
Stream.readexactly(n=)                          3.8 beta
Stream.readline()                               3.8 beta
Stream.readuntil()                              3.8 beta
Stream.readuntil(separator=)                    3.8 beta
Stream.sendfile()                               3.8 beta
Stream.sendfile(count=)                         3.8 beta
Stream.sendfile(fallback=)                      3.8 beta
Stream.sendfile(file=)                          3.8 beta
Stream.sendfile(offset=)                        3.8 beta
Stream.set_exception()                          3.8 beta
Stream.set_exception(exc=)                      3.8 beta
Stream.set_transport()                          3.8 beta
Stream.set_transport(transport=)                3.8 beta
Stream.start_tls()                              3.8 beta
Stream.start_tls(server_hostname=)              3.8 beta
Stream.start_tls(ssl_handshake_timeout=)        3.8 beta
Stream.start_tls(sslcontext=)                   3.8 beta
Stream.transport                                3.8 beta
Stream.wait_closed()                            3.8 beta
Stream.write()                                  3.8 beta
Stream.write(data=)                             3.8 beta
Stream.write_eof()                              3.8 beta
Stream.writelines()                             3.8 beta
Stream.writelines(data=)                        3.8 beta
await Stream.write()                            3.8 beta
await Stream.writelines()                       3.8 beta
await Stream.close()                            3.8 beta
StreamMode                                      3.8 beta
StreamMode.READ                                 3.8 beta
StreamMode.READWRITE                            3.8 beta
StreamMode.WRITE                                3.8 beta
StreamServer                                    3.8 beta
StreamServer(backlog=)                          3.8 beta
StreamServer(client_connected_cb=)              3.8 beta
StreamServer(family=)                           3.8 beta
StreamServer(flags=)                            3.8 beta
StreamServer(host=)                             3.8 beta
StreamServer(limit=)                            3.8 beta
StreamServer(port=)                             3.8 beta
StreamServer(reuse_address=)                    3.8 beta
StreamServer(reuse_port=)                       3.8 beta
StreamServer(shutdown_timeout=)                 3.8 beta
StreamServer(sock=)                             3.8 beta
StreamServer(ssl=)                              3.8 beta
StreamServer(ssl_handshake_timeout=)            3.8 beta
StreamServer.__aenter__()                       3.8 beta
StreamServer.__aexit__()                        3.8 beta
StreamServer.__del__()                          3.8 beta
StreamServer.__repr__()                         3.8 beta
StreamServer.abort()                            3.8 beta
StreamServer.bind()                             3.8 beta
StreamServer.close()                            3.8 beta
StreamServer.is_bound()                         3.8 beta
StreamServer.is_serving()                       3.8 beta
StreamServer.serve_forever()                    3.8 beta
StreamServer.sockets                            3.8 beta
StreamServer.start_serving()                    3.8 beta
UnixStreamServer                                3.8 beta
UnixStreamServer(backlog=)                      3.8 beta
UnixStreamServer(client_connected_cb=)          3.8 beta
UnixStreamServer(limit=)                        3.8 beta
UnixStreamServer(path=)                         3.8 beta
UnixStreamServer(shutdown_timeout=)             3.8 beta
UnixStreamServer(sock=)                         3.8 beta
UnixStreamServer(ssl=)                          3.8 beta
UnixStreamServer(ssl_handshake_timeout=)        3.8 beta
"""


def arguments(function):
    """The names of its arguments, except those that are not passed by a caller of streams."""
    for parameter in inspect.signature(function).parameters.values():
        variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if not variable and parameter.name not in ("self", "protocol_factory", "warnings"):
            yield parameter.name


def function_names(name, *functions):
    """A function with the arguments of those that it goes on to."""
    yield name + "()"
    for function in functions:
        for argument in arguments(function):
            yield "{}({}=)".format(name, argument)


def class_names(cls, *instance, name=None):
    """A class with its constructor's arguments, its methods, and the attributes of an instance."""
    name = name or cls.__name__
    yield name
    if cls.__init__ is not object.__init__:
        for argument in arguments(cls.__init__):
            yield "{}({}=)".format(name, argument)
    for parent in cls.__mro__:
        if not parent.__module__.startswith("asyncio"):
            continue
        for member, value in vars(parent).items():
            if member.startswith("_") and member not in SPECIAL:
                continue
            if not callable(value):
                yield "{}.{}".format(name, member)
            elif member.startswith("__"):
                yield "{}.{}()".format(name, member)
            else:
                yield from function_names("{}.{}".format(name, member), value)
    for attribute in instance:
        yield "{}.{}".format(name, attribute)


def names():
    from asyncio import base_events, subprocess as processes

    # Its methods have all arguments, where those of its base lack some.
    loop = asyncio.SelectorEventLoop
    for opener, keywords in [
        ("open_connection", loop.create_connection),
        ("start_server", loop.create_server),
        ("open_unix_connection", loop.create_unix_connection),
        ("start_unix_server", loop.create_unix_server),
    ]:
        if hasattr(asyncio, opener):  # not every system has unix sockets
            yield from function_names(opener, getattr(asyncio, opener), keywords)
    yield from class_names(asyncio.StreamReader)
    yield from class_names(asyncio.StreamWriter)
    yield from class_names(asyncio.StreamReaderProtocol)
    yield from class_names(asyncio.Transport)
    incomplete = asyncio.IncompleteReadError(b"", 1)
    yield from class_names(asyncio.IncompleteReadError, *vars(incomplete))
    overrun = asyncio.LimitOverrunError("", 1)
    yield from class_names(asyncio.LimitOverrunError, *vars(overrun))
    yield from server_names(base_events.Server)
    for method in [
        "connect_accepted_socket", "connect_read_pipe", "connect_write_pipe", "sendfile", "start_tls",
    ]:
        if hasattr(loop, method):
            yield from function_names("loop." + method, getattr(loop, method))
    for starter in ["create_subprocess_exec", "create_subprocess_shell"]:
        yield from function_names(starter, getattr(asyncio, starter))
    yield from process_names(processes.Process)
    for waiting in ["wait_for", "timeout", "timeout_at"]:
        if hasattr(asyncio, waiting):
            yield from function_names(waiting, getattr(asyncio, waiting))
    if hasattr(asyncio, "Timeout"):
        yield from class_names(asyncio.Timeout)


def server_names(cls):
    """Programs make none, so the constructor does not count; up to 3.6 `sockets` is no property."""
    of_constructor = "Server("
    yield from (name for name in class_names(cls) if not name.startswith(of_constructor))
    yield "Server.sockets"


def process_names(cls):
    """As above; a process is made by the functions, with what a caller cannot see here."""
    of_constructor = "Process("
    yield from (name for name in class_names(cls) if not name.startswith(of_constructor))
    for attribute in ["pid", "stdin", "stdout", "stderr"]:
        yield "Process." + attribute


def version(text):
    major, minor = text.split(".")
    return int(major), int(minor)


def merged(outputs):
    """All names with the versions that have them, given those of each version in order."""
    newest = outputs[-1][0]
    versions = {}
    for at, found in outputs:
        for name in found:
            versions.setdefault(name, []).append(at)
    for name, at in versions.items():
        until = "" if at[-1] == newest else " to " + at[-1]
        yield name, at[0] + until
    for line in BY_HAND.split("\n"):
        if line:
            name, at = line.split("  ", 1)
            yield name, at.strip()


def main(interpreters):
    if not interpreters:
        print("{}.{}".format(*sys.version_info))
        print("\n".join(sorted(set(names()))))
        return
    outputs = []
    for interpreter in interpreters:
        output = subprocess.check_output([interpreter, __file__], universal_newlines=True)
        at, *found = output.split("\n")
        outputs.append((at, [name for name in found if name]))
    outputs.sort(key=lambda output: version(output[0]))
    for name, at in sorted(merged(outputs)):
        print("{:<56}{}".format(name, at))


if __name__ == "__main__":
    main(sys.argv[1:])
