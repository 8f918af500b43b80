#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An upstream whose response depends on the request alone, in status, fields,
framing and body. The body tells all that came but what a gate adds of its own.

usage: mirror.py ADDR:PORT
"""
import asyncio
import hashlib
import sys

OWN = {b"via", b"x-request-id", b"connection", b"x-forwarded-for",
       b"x-forwarded-proto", b"x-forwarded-host"}
STATUSES = [b"200 OK", b"200 OK", b"200 Fine", b"201 Created",
            b"204 No Content", b"301 Moved Permanently", b"304 Not Modified",
            b"404 Not Found", b"405 Method Not Allowed",
            b"500 Internal Server Error", b"501 Not Implemented"]
ODD_FIELDS = (b"Set-Cookie: a=1\r\nsEt-cOOkie: b=2; Path=/\r\nVary: Accept\r\n"
              b"Vary: X-HTTP-Method-Override\r\nX-Empty: \r\nX-Tab: a\tb\r\n"
              b"Location: /else?where=1\r\nAllow: GET, BREW\r\n"
              b"Cache-Control: no-cache, max-age=3\r\nETag: \"e\"\r\n")


def respond(line, fields, body):
    method = line.split(b" ")[0]
    kept = sorted(field for field in fields
                  if field.split(b":")[0].lower() not in OWN)
    text = b"\n".join([line, *kept, hashlib.sha256(body).hexdigest().encode()])
    choice = hashlib.sha256(line + body).digest()
    status = STATUSES[choice[0] % len(STATUSES)]
    head = b"HTTP/1.1 " + status + b"\r\n" + (ODD_FIELDS if choice[1] & 1
                                              else b"Server: mirror\r\n")
    if status[:3] in (b"204", b"304"):
        return head + b"\r\n"
    if choice[2] & 3 == 0 and method != b"HEAD":
        return (head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(
            b"%x\r\n%s\r\n" % (len(piece), piece)
            for piece in (text[:20], text[20:])) + b"0\r\n\r\n")
    head += b"Content-Length: %d\r\n\r\n" % len(text)
    return head if method == b"HEAD" else head + text


class Mirror(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.held = b""

    def data_received(self, piece):
        self.held += piece
        while b"\r\n\r\n" in self.held:
            head, rest = self.held.split(b"\r\n\r\n", 1)
            line, *fields = head.split(b"\r\n")
            length = sum(int(field.split(b":")[1]) for field in fields
                         if field.lower().startswith(b"content-length:"))
            if len(rest) < length:
                return
            self.held = rest[length:]
            self.transport.write(respond(line, fields, rest[:length]))
            if b"close" in (field.split(b":")[1].strip() for field in fields
                            if field.lower().startswith(b"connection:")):
                self.transport.close()


async def main():
    host, _, port = sys.argv[1].rpartition(":")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Mirror, host, int(port))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
