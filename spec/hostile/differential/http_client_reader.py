"""Reads responses with http.client, for the differential run.

One JSON object a line on standard input, {"method": ..., "wire": base64}; one a line on standard output for each, in order.
The connection is in memory, and the peer closes behind the wire.
"""

import base64
import http.client
import io
import json
import sys


class Wire:
    """As much of a socket as HTTPResponse asks for."""

    def __init__(self, octets):
        self._octets = octets

    def makefile(self, mode):
        return io.BytesIO(self._octets)


def read(method, octets):
    response = http.client.HTTPResponse(Wire(octets), method=method)
    try:
        response.begin()
        body = response.read()
    except Exception as error:  # whatever it is, it is what a caller would see
        return {"error": type(error).__name__ + ": " + str(error)[:80]}
    return {
        "error": None,
        "status": response.status,
        "version": response.version,
        "reason": response.reason,
        "fields": [[name, str(value)] for name, value in response.headers.raw_items()],
        "body": body.decode("latin-1"),
        "trailers": None,
        "interims": None,
        "keepAlive": not response.will_close,
    }


def main():
    print(json.dumps({"python": sys.version.split()[0]}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        outcome = read(request["method"], base64.b64decode(request["wire"]))
        print(json.dumps(outcome), flush=True)


main()
