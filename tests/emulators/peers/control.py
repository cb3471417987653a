"""What the servers that tests start share: a word of control over http, and an end with the process that holds them.

GET /            the ports, as JSON
GET /arrived     what was taken, a list of objects with `identity` and `text`
POST /plan       a list of misfortunes, one for each coming attempt: {"do": ..., "text": ...}
POST /down, /up  the server goes away and comes back on the same port
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class State:
    def __init__(self):
        self.lock = threading.Lock()
        self.arrived = []
        self.plan = []
        self.ports = {}

    def take(self, identity, text, **more):
        with self.lock:
            self.arrived.append({"identity": identity, "text": text, **more})

    def next(self):
        with self.lock:
            return self.plan.pop(0) if self.plan else {}


def serve(port, state, down, up, arrived=None, plan=None):
    """Answers until the process ends. `arrived` and `plan` replace the lists of `state`."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def answer(self, value):
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            if self.path == "/arrived":
                with state.lock:
                    self.answer(arrived() if arrived else state.arrived)
            else:
                self.answer(state.ports)

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            if self.path == "/plan":
                with state.lock:
                    state.plan = json.loads(body)
                if plan:
                    plan(state.plan)
            elif self.path == "/down":
                down()
            elif self.path == "/up":
                up()
            self.answer({})

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
