# A small origin for what file servers do not do: endless events, interim responses, HTTP/1.0 without a length,
# bodies that end too early, and slow chunks. Bounded in every direction; loopback only.
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        target = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(target.query).items()}
        action = getattr(self, "on_" + target.path.strip("/").replace("-", "_"), None)
        if action is None:
            self.send_error(404)
        else:
            action(query)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def on_events(self, query):
        """Server-sent events, each in two chunks cut anywhere, in the middle of a character too."""
        count = int(query.get("count", "500"))
        pause = int(query.get("pause", "20")) / 1000
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(count):
            event = ("id: %d\nevent: tick\ndata: gr\u00fc\u00dfe %d\n\n" % (number, number)).encode()
            cut = number % len(event)
            for piece in (event[:cut], event[cut:]):
                if piece:
                    self.chunk(piece)
            time.sleep(pause)
        self.wfile.write(b"0\r\n\r\n")

    def on_interim(self, query):
        for number in range(3):
            self.send_response_only(103)
            self.send_header("Link", "</style-%d.css>; rel=preload" % number)
            self.end_headers()
        self.answer(b"after three early hints")

    def on_until_close(self, query):
        """An HTTP/1.0 reply framed by nothing but the end of the connection."""
        size = int(query["size"])
        self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n")
        for offset in range(0, size, 4096):
            self.wfile.write(b"u" * min(4096, size - offset))
        self.close_connection = True

    def on_cut_length(self, query):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"c" * 600)
        self.close_connection = True

    def on_cut_chunks(self, query):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.chunk(b"c" * 600)
        self.wfile.write(b"100\r\nhalf")
        self.close_connection = True

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


with Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
    server.serve_forever()
