"""What asyncio.StreamReader answers in conversations that are given on standard input.

The first line of the output says which version this is. Then each line of the input is a list of
conversations, {"limit": N, "lines": [..]} with the lines of a trace, and each line of the output the
list of what came of them: the answers to their requests, and whether reading was paused after each
line. Any CPython from 3.6 on.
"""

import asyncio
import collections
import json
import sys
import warnings

HAS_SETS = sys.version_info >= (3, 13)


class Failure(Exception):
    """A transport has failed; the argument is the name."""


class Loop(asyncio.AbstractEventLoop):
    """An event loop that only runs what is ready, and stops when nothing is."""

    def __init__(self):
        self._ready = collections.deque()

    def call_soon(self, callback, *args, **kwargs):
        handle = asyncio.Handle(callback, args, self)
        self._ready.append(handle)
        return handle

    def create_future(self):
        return asyncio.Future(loop=self)

    def get_debug(self):
        return False

    def call_exception_handler(self, context):
        pass

    def run_until_idle(self):
        asyncio._set_running_loop(self)
        while self._ready:
            handle = self._ready.popleft()
            if not handle._cancelled:
                handle._run()
        asyncio._set_running_loop(None)


class Transport(asyncio.ReadTransport):
    """Pauses and resumes in turn, or complains."""

    def __init__(self):
        super().__init__()
        self.paused = False

    def pause_reading(self):
        assert not self.paused
        self.paused = True

    def resume_reading(self):
        assert self.paused
        self.paused = False


def request_of(line):
    """What is asked, in a form that can be compared."""
    if "read_until" in line:
        return "read_until", tuple(map(bytes.fromhex, line["read_until"]))
    for name in ("read_line", "read_exactly", "read"):
        if name in line:
            return name, line[name]
    raise ValueError("asyncio has no request {}".format(line))


def ask(reader, request):
    name, argument = request
    if name == "read_until":
        return reader.readuntil(argument[0] if len(argument) == 1 else argument)
    if name == "read_line":
        return reader.readline()
    if name == "read_exactly":
        return reader.readexactly(argument)
    return reader.read(argument)


def answer_of(task):
    try:
        return {"ok": task.result().hex()}
    except asyncio.IncompleteReadError as error:
        return {"incomplete": error.partial.hex(), "expected": error.expected}
    except asyncio.LimitOverrunError as error:
        return {"overrun": True, "consumed": error.consumed}
    except Failure as error:
        return {"failed": error.args[0]}
    except ValueError as error:
        # What readline makes of an overrun.
        return {"overrun": True, "consumed": error.__context__.consumed}


def converse(conversation):
    loop = Loop()
    reader = asyncio.StreamReader(limit=conversation["limit"], loop=loop)
    transport = Transport()
    reader.set_transport(transport)
    waiting = None
    answers = []
    paused = []
    for line in conversation["lines"]:
        if "feed" in line:
            reader.feed_data(bytes.fromhex(line["feed"]))
        elif "feed_eof" in line:
            reader.feed_eof()
        elif "fail" in line:
            reader.set_exception(Failure(line["fail"]))
        elif "buffered" in line:
            answers.append({"buffered": bytes(reader._buffer).hex()})
        else:
            request = request_of(line)
            if waiting is not None and waiting[0] == request:
                task = waiting[1]
            else:
                if waiting is not None:
                    waiting[1].cancel()
                    loop.run_until_idle()
                    assert waiting[1].cancelled()
                task = asyncio.Task(ask(reader, request), loop=loop)
            loop.run_until_idle()
            waiting = None if task.done() else (request, task)
            answers.append({"pending": True} if waiting else answer_of(task))
        paused.append(transport.paused)
    if waiting is not None:
        waiting[1].cancel()
        loop.run_until_idle()
    return {"answers": answers, "paused": paused}


def main():
    warnings.simplefilter("ignore")
    version = "{}.{}.{}".format(*sys.version_info)
    print(json.dumps({"version": version, "sets": HAS_SETS}), flush=True)
    for batch in sys.stdin:
        print(json.dumps([converse(one) for one in json.loads(batch)]), flush=True)


main()
