"""The broker that librdkafka has for its own tests, behind a proxy that ends TLS, asks for a login and can misbehave.

kafka.py PORT FOLDER; in the folder cert.pem, key.pem and login.json (name and password). Ports: `tls` (with a
login by SASL), `plain` (with neither). The topic `alerts` has three partitions. Misfortunes, one for each request that produces: `error`
(the broker answers with `code`), `reset` (nothing was taken), `hang`, `lost` (it was taken, and the connection is reset
before anybody says so).
"""

import base64
import ctypes
import glob
import hashlib
import hmac
import inspect
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

import confluent_kafka
from control import State, serve

port, folder = int(sys.argv[1]), sys.argv[2]
name, password = json.load(open(f"{folder}/login.json"))
state = State()

libs = os.path.join(os.path.dirname(confluent_kafka.__file__), "..", "confluent_kafka.libs")
rd = ctypes.CDLL(glob.glob(f"{libs}/librdkafka*")[0])
for function in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
    getattr(rd, function).restype = ctypes.c_void_p
rd.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
error = ctypes.create_string_buffer(512)
client = ctypes.c_void_p(rd.rd_kafka_new(0, ctypes.c_void_p(rd.rd_kafka_conf_new()), error, 512))
cluster = ctypes.c_void_p(rd.rd_kafka_mock_cluster_new(client, 1))
host, number = rd.rd_kafka_mock_cluster_bootstraps(cluster).decode().split(":")
broker = (host, int(number))
rd.rd_kafka_mock_topic_create(cluster, b"alerts", 3, 1)

PRODUCE, API_VERSIONS, HANDSHAKE, AUTHENTICATE = 0, 18, 17, 36
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")


def read_exactly(stream, count):
    data = b""
    while len(data) < count:
        more = stream.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def read_frame(stream):
    length = read_exactly(stream, 4)
    return length + read_exactly(stream, struct.unpack(">i", length)[0])


def reply(stream, correlation, body):
    stream.sendall(struct.pack(">ii", 4 + len(body), correlation) + body)


def with_login(answer, version):
    """ApiVersions with the two requests of SASL, which the broker does not know."""
    head, body = answer[4:10], answer[10:]
    if answer[8:10] != b"\0\0":
        return answer
    added = [(HANDSHAKE, 0, 1), (AUTHENTICATE, 0, 1)]
    if version < 3:
        count = struct.unpack(">i", body[:4])[0]
        body = struct.pack(">i", count + 2) + b"".join(struct.pack(">hhh", *key) for key in added) + body[4:]
    else:
        body = bytes([body[0] + 2]) + b"".join(struct.pack(">hhhB", *key, 0) for key in added) + body[1:]
    return struct.pack(">i", len(head + body)) + head + body


def text_after_client(frame, form):
    """The first text or bytes of a request after the name of the client."""
    at = 14 + max(0, struct.unpack(">h", frame[12:14])[0])
    length = struct.unpack(form, frame[at : at + struct.calcsize(form)])[0]
    return frame[at + struct.calcsize(form) :][:length]


def login_is_done(login):
    """Whether it wants no further word; it does not when it was refused, either, but then the client gives up."""
    return inspect.getgeneratorlocals(login).get("done", False)


def plain():
    done = False
    said = yield
    done = said == f"\0{name}\0{password}".encode()
    yield b"" if done else None


def scram(hash_name):
    """RFC 5802, the server's side."""

    def login():
        def sign(key, text):
            return hmac.digest(key, text, hash_name)

        done = False
        first = (yield).removeprefix(b"n,,")
        salt, nonce = os.urandom(16), first.partition(b",r=")[2] + b"server"
        challenge = b"r=" + nonce + b",s=" + base64.b64encode(salt) + b",i=4096"
        final = yield challenge
        bare, _, proof = final.rpartition(b",p=")
        salted = hashlib.pbkdf2_hmac(hash_name, password.encode(), salt, 4096)
        key = sign(salted, b"Client Key")
        stored = hashlib.new(hash_name, key).digest()
        text = first + b"," + challenge + b"," + bare
        right = bytes(a ^ b for a, b in zip(key, sign(stored, text)))
        done = proof == base64.b64encode(right) and first.startswith(b"n=" + name.encode() + b",")
        yield b"v=" + base64.b64encode(sign(sign(salted, b"Server Key"), text)) if done else None

    return login


logins = {"PLAIN": plain, "SCRAM-SHA-256": scram("sha256"), "SCRAM-SHA-512": scram("sha512")}


class Proxy:
    def __init__(self, tls):
        self.tls, self.port, self.open = tls, 0, set()
        self.up()

    def up(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def down(self):
        # a close alone does not wake the thread that accepts
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in list(self.open):
            reset(connection)
        self.open.clear()

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.handle, args=(client,), daemon=True).start()

    def handle(self, client):
        try:
            if self.tls:
                client = context.wrap_socket(client, server_side=True)
            self.open.add(client)
            self.talk(client)
        except (OSError, EOFError):
            pass
        finally:
            self.open.discard(client)
            client.close()

    def talk(self, client):
        server, is_known, login = socket.create_connection(broker), not self.tls, None
        while True:
            frame = read_frame(client)
            kind, version, correlation = struct.unpack(">hhi", frame[4:12])
            if kind == HANDSHAKE:
                login = logins[text_after_client(frame, ">h").decode()]()
                next(login)
                names = b"".join(struct.pack(">h", len(known)) + known.encode() for known in logins)
                reply(client, correlation, struct.pack(">hi", 0, len(logins)) + names)
                continue
            if kind == AUTHENTICATE:
                answer = login.send(text_after_client(frame, ">i"))
                is_known = login_is_done(login)
                code = 0 if answer is not None else 58
                answer = answer or b""
                body = struct.pack(">hhi", code, -1, len(answer)) + answer
                reply(client, correlation, body + (struct.pack(">q", 0) if version else b""))
                continue
            if kind != API_VERSIONS and not is_known:
                return
            trouble = state.next() if kind == PRODUCE else {}
            if trouble.get("do") == "reset":
                return reset(client)
            if trouble.get("do") == "hang":
                return time.sleep(3600)
            if trouble.get("do") == "error":
                codes = (ctypes.c_int * 1)(trouble["code"])
                rd.rd_kafka_mock_push_request_errors_array(cluster, ctypes.c_int16(PRODUCE), ctypes.c_size_t(1), codes)
            server.sendall(frame)
            answer = read_frame(server)
            if trouble.get("do") == "lost":
                return reset(client)
            if kind == API_VERSIONS and self.tls:
                answer = with_login(answer, version)
            # where the broker says that it is; both have nine letters
            there, here = (struct.pack(">i", number) for number in (broker[1], self.port))
            client.sendall(answer.replace(b"127.0.0.1" + there, b"localhost" + here))


def reset(connection):
    """Ends a connection as a crash does."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
    except OSError:
        pass


consumer = confluent_kafka.Consumer(
    {"bootstrap.servers": "%s:%d" % broker, "group.id": "tests", "auto.offset.reset": "earliest", "fetch.max.bytes": 20_000_000}
)
consumer.assign([confluent_kafka.TopicPartition("alerts", partition, 0) for partition in range(3)])


def consume():
    while True:
        record = consumer.poll(0.1)
        if record is None or record.error():
            continue
        headers = {key: value.decode() for key, value in record.headers() or []}
        value = record.value().decode()
        state.take(
            headers.get("idempotency-key", ""),
            json.dumps(json.loads(value), ensure_ascii=False),
            headers=headers,
            key=record.key().decode(),
            value=value,
            partition=record.partition(),
            time=record.timestamp()[1],
        )


threading.Thread(target=consume, daemon=True).start()
proxies = {"tls": Proxy(True), "plain": Proxy(False)}
state.ports = {kind: proxy.port for kind, proxy in proxies.items()}
serve(
    port,
    state,
    down=lambda: [proxy.down() for proxy in proxies.values()],
    up=lambda: [proxy.up() for proxy in proxies.values()],
)
