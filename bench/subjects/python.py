"""How the bench calls CPython's http.client: one connection, `readinto` a 256 KiB view, the same check of every
piece. Speaks the line protocol of client.mjs: one JSON call per line on standard input, one answer per line."""

import http.client
import json
import resource
import sys
import time

OPTIONS = json.loads(sys.argv[1])
PERIOD = OPTIONS.get("period") or 1 << 20


def pattern_byte(offset):
    return (offset + (offset >> 8) * 7 + (offset >> 16) * 13) & 255


def cpu_microseconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e6


def exchange(connection, view):
    connection.request("GET", OPTIONS["path"])
    response = connection.getresponse()
    received = 0
    while size := response.readinto(view):
        last = (received + size - 1) % PERIOD
        if view[0] != pattern_byte(received % PERIOD) or view[size - 1] != pattern_byte(last):
            raise ValueError(f"wrong body bytes in the piece at offset {received}")
        received += size
    if received != OPTIONS["bytes"]:
        raise ValueError(f"the body had {received} bytes instead of {OPTIONS['bytes']}")


def main():
    connection = http.client.HTTPConnection("127.0.0.1", OPTIONS["port"])
    view = memoryview(bytearray(1 << 18))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        cpu, start = cpu_microseconds(), time.perf_counter()
        for _ in range(json.loads(line)["run"]):
            exchange(connection, view)
        cost = {"cpu": cpu_microseconds() - cpu, "wall": (time.perf_counter() - start) * 1e6}
        print(json.dumps(cost), flush=True)


main()
