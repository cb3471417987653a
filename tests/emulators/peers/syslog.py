"""rsyslog, behind a proxy that can misbehave.

syslog.py PORT FOLDER; in the folder ca.pem, cert.pem and key.pem. Ports: `tls`, `mtls` (which wants a certificate of the
client), `tcp`, `udp`. Misfortunes: `reset` (nothing was read), `hang` (nothing is read), `lost` (all was read, and the
connection is reset before anybody says so).
"""

import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from control import State, serve

port, folder = int(sys.argv[1]), sys.argv[2]
state = State()
out = f"{folder}/out.jsonl"

CONFIG = """
global(workDirectory="{folder}" maxMessageSize="256k" net.enableDNS="off"
  defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{folder}/ca.pem"
  defaultNetstreamDriverCertFile="{folder}/cert.pem" defaultNetstreamDriverKeyFile="{folder}/key.pem")
module(load="imtcp")
module(load="imudp")
input(type="imtcp" address="127.0.0.1" port="{tls}" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" address="127.0.0.1" port="{mtls}" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
input(type="imtcp" address="127.0.0.1" port="{tcp}" streamDriver.name="ptcp" streamDriver.mode="0")
input(type="imudp" address="127.0.0.1" port="{udp}")
template(name="all" type="list" option.jsonf="on") {{
  property(outname="pri" name="pri" format="jsonf")
  property(outname="protocol" name="protocol-version" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="process" name="procid" format="jsonf")
  property(outname="kind" name="msgid" format="jsonf")
  property(outname="data" name="structured-data" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
  property(outname="input" name="inputname" format="jsonf")
}}
action(type="omfile" file="{out}" template="all" asyncWriting="off" flushOnTXEnd="on")
"""


def free(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end_with_us():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def answers(number):
    try:
        socket.create_connection(("127.0.0.1", number), 1).close()
        return True
    except OSError:
        return False


behind = {name: free() for name in ("tls", "mtls", "tcp")}
udp = free(socket.SOCK_DGRAM)
with open(f"{folder}/rsyslog.conf", "w") as config:
    config.write(CONFIG.format(folder=folder, out=out, udp=udp, **behind))
rsyslog = subprocess.Popen(
    ["/usr/sbin/rsyslogd", "-n", "-f", f"{folder}/rsyslog.conf", "-i", f"{folder}/rsyslog.pid"],
    preexec_fn=end_with_us,
)
until = time.monotonic() + 30
while not all(answers(number) for number in behind.values()):
    if rsyslog.poll() is not None or time.monotonic() > until:
        sys.exit(f"rsyslogd does not listen: {rsyslog.poll()}")
    time.sleep(0.02)


def reset(connection):
    """Ends a connection as a crash does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Proxy:
    def __init__(self, target):
        self.target, self.port, self.open = target, 0, set()
        self.up()

    def up(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def down(self):
        # a close alone does not wake the thread that accepts
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in list(self.open):
            try:
                reset(connection)
            except OSError:
                pass
        self.open.clear()

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.open.add(client)
            threading.Thread(target=self.handle, args=(client,), daemon=True).start()

    def handle(self, client):
        what = state.next().get("do")
        if what == "reset":
            return reset(client)
        if what == "hang":
            return time.sleep(3600)
        server = socket.create_connection(("127.0.0.1", self.target))
        ended = []
        back = threading.Thread(target=lambda: ended.append(copy(server, client, what != "lost")), daemon=True)
        back.start()
        copy(client, server, True)
        back.join()
        self.open.discard(client)
        try:
            if what == "lost" or not ended[0]:
                reset(client)
            client.close()
            server.close()
        except OSError:
            pass


def copy(source, target, hand_on_the_end):
    """False when `source` was reset."""
    while True:
        try:
            data = source.recv(65536)
        except OSError:
            return False
        try:
            if data:
                target.sendall(data)
            elif hand_on_the_end:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        if not data:
            return True


proxies = {name: Proxy(number) for name, number in behind.items()}
state.ports = {name: proxy.port for name, proxy in proxies.items()} | {"udp": udp}


def arrived():
    if not os.path.exists(out):
        return []
    found = []
    for line in open(out, encoding="utf-8"):
        if not line.endswith("\n"):
            continue
        taken = json.loads(line)
        message = taken["message"].removeprefix("\ufeff")
        try:
            taken["text"] = json.dumps(json.loads(message), ensure_ascii=False)
        except ValueError:
            taken["text"] = message
        taken["identity"] = taken["data"].partition(' key="')[2].partition('"')[0]
        found.append(taken)
    return found


serve(
    port,
    state,
    down=lambda: [proxy.down() for proxy in proxies.values()],
    up=lambda: [proxy.up() for proxy in proxies.values()],
    arrived=arrived,
)
