"""SMTP servers: aiosmtpd with STARTTLS and login, with TLS from the first byte and login, and with neither.

smtp.py PORT FOLDER; in the folder cert.pem, key.pem and login.json (name and password). Recipients named `refused@`
are refused for good, `later@` once each.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult
from control import State, serve

port, folder = int(sys.argv[1]), sys.argv[2]
name, password = json.load(open(f"{folder}/login.json"))
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
state = State()
put_off = set()


def authenticate(server, session, envelope, mechanism, data):
    is_right = (data.login, data.password) == (name.encode(), password.encode())
    return AuthResult(success=is_right, handled=is_right)


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        envelope.trouble = state.next()
        if envelope.trouble.get("do") == "hang":
            await asyncio.sleep(3600)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if envelope.trouble.get("do") == "rcpt":
            return envelope.trouble["text"]
        if address.startswith("refused@"):
            return "550 5.1.1 No such user here"
        if address.startswith("later@") and address not in put_off:
            put_off.add(address)
            return "450 4.2.0 Greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        trouble = envelope.trouble
        if trouble.get("do") == "say":
            return trouble["text"]
        if trouble.get("do") == "reset":
            server.transport.abort()
            await asyncio.sleep(3600)
        if len(envelope.content) > trouble.get("over", 1 << 40):
            return "552 5.3.4 Message size exceeds fixed limit"
        take(server, session, envelope)
        if trouble.get("do") == "lost":
            server.transport.abort()
            await asyncio.sleep(3600)
        return "250 OK"


def take(server, session, envelope):
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    defects = [repr(defect) for part in mail.walk() for defect in part.defects]
    parts, files = {}, {}
    for part in mail.walk():
        if part.is_multipart():
            continue
        if part.get_content_disposition() == "attachment":
            files[part.get_filename()] = part.get_payload(decode=True).decode()
        else:
            parts[part.get_content_type()] = part.get_content()
    headers = {key.lower(): str(value) for key, value in mail.items()}
    for key, value in mail.items():
        defects += [repr(defect) for defect in getattr(value, "defects", [])]
    text = "\n".join([headers.get("subject", ""), *parts.values(), *files.values()])
    state.take(
        headers.get("message-id", ""), text, headers=headers, parts=parts, files=files, defects=defects,
        to=envelope.rcpt_tos, sender=envelope.mail_from, encrypted=server.transport.get_extra_info("sslcontext") is not None,
        login=bool(session.authenticated), raw=envelope.content.decode("latin-1"),
    )


class Listener:
    """A server that can be silenced with its connections and listens again on the same port."""

    loop = asyncio.new_event_loop()

    def __init__(self, tls=None, **how):
        self.tls, self.port, self.open = tls, 0, set()
        listener = self

        class Counted(SMTP):
            def connection_made(self, transport):
                listener.open.add(transport)
                super().connection_made(transport)

        self.factory = lambda: Counted(Handler(), loop=self.loop, data_size_limit=20_000_000, enable_SMTPUTF8=True, **how)
        self.up()

    def up(self):
        async def listen():
            return await self.loop.create_server(self.factory, "127.0.0.1", self.port, ssl=self.tls)

        self.server = asyncio.run_coroutine_threadsafe(listen(), self.loop).result()
        self.port = self.server.sockets[0].getsockname()[1]

    def down(self):
        async def silence():
            self.server.close()
            for transport in self.open:
                transport.abort()
            self.open.clear()

        asyncio.run_coroutine_threadsafe(silence(), self.loop).result()


threading.Thread(target=Listener.loop.run_forever, daemon=True).start()
servers = {
    "starttls": Listener(tls_context=context, require_starttls=True, auth_required=True, authenticator=authenticate),
    "implicit": Listener(tls=context, auth_required=True, auth_require_tls=False, authenticator=authenticate),
    "none": Listener(),
}
state.ports = {kind: server.port for kind, server in servers.items()}
serve(
    port,
    state,
    down=lambda: [server.down() for server in servers.values()],
    up=lambda: [server.up() for server in servers.values()],
)
