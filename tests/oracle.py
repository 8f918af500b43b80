#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Holds `methodgate explain --json` and the running daemon to decision.tsv.

Each row is explained by a process of its own, and sent as raw bytes to a
daemon in front of an upstream that records what reaches it: exactly the
forwarded requests, with method, target, Host and body byte for byte. At the
end the access log must tell the same of each.
"""
import argparse
import collections
import http.client
import json
import pathlib
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parent
COLUMNS = ("id door host method path headers body status reason allow"
           " location flags would sent note").split()
BOUNDARY = "methodgate"
TYPES = {"form": "application/x-www-form-urlencoded",
         "json": "application/json",
         "multipart": f"multipart/form-data; boundary={BOUNDARY}"}
TIMEOUT = 10  # seconds, for anything that should come at once
START_TIMEOUT = 30
START_TRIES = 5  # a free port may be taken before the daemon has it

Row = collections.namedtuple("Row", COLUMNS)
Seen = collections.namedtuple("Seen", "id method target fields body")


def read_rows(path):
    lines = [line for line in path.read_text().splitlines()
             if line and not line.startswith("#")]
    if lines[0].split("\t") != COLUMNS:
        sys.exit(f"oracle: {path}: the first line does not name the columns")
    rows = []
    for line in lines[1:]:
        cells = line.split("\t")
        if len(cells) != len(COLUMNS) or "" in cells:
            sys.exit(f"oracle: {path}: not {len(COLUMNS)} columns: {line}")
        rows.append(Row(*cells))
    if len({row.id for row in rows}) != len(rows):
        sys.exit(f"oracle: {path}: an id stands there twice")
    return rows


class Recorder(socketserver.StreamRequestHandler):
    """One connection to the upstream: requests are noted, then answered."""

    timeout = TIMEOUT

    def handle(self):
        while self.one_request():
            pass

    def one_request(self):
        try:
            line = self.rfile.readline()
            fields = []
            while (field := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = field.rstrip(b"\r\n").partition(b":")
                fields.append((name.decode("latin-1").lower(),
                               value.strip().decode("latin-1")))
            if not line:
                return False
            named = dict(fields)
            body = self.rfile.read(int(named.get("content-length", "0")))
        except OSError:
            return False
        method, _, rest = line.rstrip(b"\r\n").decode("latin-1").partition(" ")
        target = rest.rpartition(" ")[0]
        self.server.note(Seen(named.get("x-oracle"), method, target, fields,
                              body))
        close = named.get("connection", "").lower() == "close"
        answer = b"" if method == "HEAD" else b"ok"
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                         b"Content-Type: text/plain\r\n"
                         + (b"Connection: close\r\n" if close else b"")
                         + b"\r\n" + answer)
        return not close


class Upstream(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Recorder)
        self.lock = threading.Lock()
        self.seen = []
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def note(self, seen):
        with self.lock:
            self.seen.append(seen)

    def records(self, row_id):
        with self.lock:
            return [seen for seen in self.seen if seen.id == row_id]


class Gate:
    """The daemon with its configuration, on free ports."""

    def __init__(self, binary, folder, upstream):
        self.binary = binary
        self.folder = folder
        self.upstream = upstream
        self.config = folder / "gate.ini"
        self.log = folder / "access.log"
        self.child = None

    def configure(self):
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            self.ports = {"main": one.getsockname()[1],
                          "any": two.getsockname()[1]}
        (self.folder / "sites").mkdir(exist_ok=True)
        for source in sorted((TESTS / "decision").glob("*.ini")):
            copy = (self.config if source.name == "gate.ini"
                    else self.folder / "sites" / source.name)
            copy.write_text(self.fill(source.read_text()))

    def fill(self, text):
        for name, value in (("PORT", self.ports["main"]),
                            ("PORT_ANY", self.ports["any"]),
                            ("UPSTREAM", f"127.0.0.1:{self.upstream.port}"),
                            ("LOG", self.log)):
            text = text.replace(f"@{name}@", str(value))
        return text

    def start(self):
        for _ in range(START_TRIES):
            self.configure()
            self.errors = open(self.folder / "stderr", "w+b")
            self.child = subprocess.Popen(
                [self.binary, "run", "-c", str(self.config)],
                stdin=subprocess.DEVNULL, stdout=self.errors,
                stderr=self.errors)
            if self.listening():
                return True
            self.stop()
        return False

    def listening(self):
        deadline = time.monotonic() + START_TIMEOUT
        waiting = set(self.ports.values())
        while waiting and time.monotonic() < deadline:
            for port in list(waiting):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        waiting.remove(port)
            try:
                # Returns early only if the daemon has gone.
                self.child.wait(timeout=0.02)
                return False
            except subprocess.TimeoutExpired:
                pass
        return not waiting

    def stop(self):
        """Asks the daemon to end; its exit status, or None if it would not."""
        if self.child.poll() is None:
            self.child.terminate()
        try:
            return self.child.wait(timeout=START_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            return None

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode("utf-8", "replace")


def host_of(gate, row):
    return f"{row.host}:{gate.ports[row.door]}"


def fields_of(gate, row):
    if row.headers == "-":
        return []
    return gate.fill(row.headers).split(";;")


def expected_allow(row):
    """A list of names, or None where there is no Allow."""
    if row.allow == "-":
        return None
    return [] if row.allow == "(empty)" else row.allow.split(", ")


def differences(pairs):
    """What differs, as text: (what, seen, wanted) for each."""
    return [f"{what} is {seen!r}, not {wanted!r}"
            for what, seen, wanted in pairs if seen != wanted]


def rule_section(gate, rule):
    """The section header that stands where the rule says."""
    if rule is None:
        return None
    name, _, line = rule.rpartition(":")
    path = pathlib.Path(name)
    if not path.is_absolute() and not path.exists():
        path = gate.folder / name
    lines = path.read_text().splitlines()
    number = int(line)
    return lines[number - 1] if 0 < number <= len(lines) else None


def named_fields(fields):
    named = {}
    for field in fields:
        name, _, value = field.partition(":")
        named[name.lower()] = value.strip()
    return named


def split_body(row):
    """Its kind, and the text after the colon."""
    kind, _, text = row.body.partition(":")
    if kind != "-" and kind not in (*TYPES, "raw"):
        sys.exit(f"oracle: {row.id}: no such body: {row.body}")
    return kind, text


def body_of(row, fields):
    kind, text = split_body(row)
    if kind == "-":
        return body_of_length(named_fields(fields))
    if kind == "raw":
        # \r, \n, \\ and \xNN
        text = text.encode("latin-1").decode("unicode_escape")
    elif kind == "multipart":
        text = "".join(
            f"--{BOUNDARY}\r\n"
            f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, _, value in (part.partition("=")
                                   for part in text.split("&"))
        ) + f"--{BOUNDARY}--\r\n"
    return text.encode("latin-1")


def body_of_length(named):
    """As long as Content-Length says; none while 100 Continue is awaited."""
    length = named.get("content-length", "0")
    if "expect" in named or not length.isdigit():
        return b""
    return b"x" * int(length)


def body_options(row, fields):
    """For explain; None: it cannot be told of such a body."""
    kind, text = split_body(row)
    if kind == "-":
        return []
    if kind == "raw":
        named, body = named_fields(fields), body_of(row, fields)
        if ("content-type" not in named or "transfer-encoding" in named
                or b"\0" in body):
            return None
        return ["--form", body]
    if kind == "multipart":
        return [arg for part in text.split("&")
                for arg in ("--multipart", part)]
    return ["--json-body" if kind == "json" else "--form", text]


def listed(cell):
    return [] if cell == "-" else sorted(cell.split(","))


def expected_would(row):
    """Status and reason, or two times None."""
    if row.would == "-":
        return None, None
    status, _, reason = row.would.partition(" ")
    return int(status), reason


def sent_method(row):
    """A member of the column without a colon or '!' is the method."""
    for item in row.sent.split(";;"):
        if item != "-" and ":" not in item and not item.startswith("!"):
            return item
    return row.method


def explained(gate, row):
    """The answer of explain, or why there is none."""
    fields = fields_of(gate, row)
    command = [gate.binary, "explain", "--json", "-c", str(gate.config)]
    for field in [f"Host: {host_of(gate, row)}"] + fields:
        command += ["-H", field]
    run = subprocess.run(command + body_options(row, fields)
                         + ["--", row.method, gate.fill(row.path)],
                         stdin=subprocess.DEVNULL, capture_output=True,
                         timeout=START_TIMEOUT)
    if run.returncode != 0:
        raise ValueError(f"exit status {run.returncode}: "
                         + run.stderr.decode("utf-8", "replace").strip())
    return json.loads(run.stdout)


def explain(gate, row):
    try:
        told = explained(gate, row)
    except ValueError as error:
        return [str(error)]
    forward = row.status == "forward"
    located = row.location != "-"
    would = told["would"] or {"status": None, "reason": None}
    return differences((
        ("method", told["method"], row.method),
        ("verdict", told["verdict"], "forward" if forward else "answer"),
        ("status", told["status"], None if forward else int(row.status)),
        ("reason", told["reason"], None if forward else row.reason),
        ("allow", told["allow"], expected_allow(row)),
        ("location", told["location"],
         row.location.removeprefix("= ") if located else None),
        ("section of the rule", rule_section(gate, told["rule"]),
         f"[location {row.location}]" if located else None),
        ("flags", sorted(told["flags"]),
         sorted(told["flags"]) if row.flags == "*" else listed(row.flags)),
        ("would", (would["status"], would["reason"]), expected_would(row)),
        ("method sent", told["method_sent"],
         sent_method(row) if forward else None),
    ))


def request_bytes(gate, row):
    fields = fields_of(gate, row)
    named = named_fields(fields)
    body = body_of(row, fields)
    version = "HTTP/1.0" if row.host == "-" else "HTTP/1.1"
    lines = [f"{row.method} {gate.fill(row.path)} {version}"]
    if row.host != "-":
        lines.append(f"Host: {host_of(gate, row)}")
    lines += [f"X-Oracle: {row.id}", f"User-Agent: {row.id}",
              "Accept: application/problem+json"]
    lines += fields
    if row.body != "-":
        kind = split_body(row)[0]
        if "content-type" not in named and kind in TYPES:
            lines.append(f"Content-Type: {TYPES[kind]}")
        if "transfer-encoding" not in named:
            lines.append(f"Content-Length: {len(body)}")
    if "connection" not in named:
        lines.append("Connection: close")
    return "\r\n".join(lines + ["", ""]).encode("latin-1") + body


def talk(gate, row):
    """Status, Allow or None, media type, body."""
    address = ("127.0.0.1", gate.ports[row.door])
    with socket.create_connection(address, timeout=TIMEOUT) as wire:
        wire.sendall(request_bytes(gate, row))
        response = http.client.HTTPResponse(wire, method=row.method)
        response.begin()
        body = response.read()
        media = (response.getheader("Content-Type") or "").partition(";")[0]
        return response.status, response.getheader("Allow"), media, body


def expected_target(gate, row):
    """origin-form of an absolute-form target; anything else is untouched."""
    target = gate.fill(row.path)
    if target.startswith("http://"):
        target = "/" + target[len("http://"):].partition("/")[2]
    return target


def check_upstream(gate, row, forwarded):
    seen = gate.upstream.records(row.id)
    if len(seen) != (1 if forwarded else 0):
        return [f"reached the upstream {len(seen)} times: {seen}"]
    if not forwarded:
        return []
    named = collections.defaultdict(list)
    for name, value in seen[0].fields:
        named[name].append(value)
    wanted = [("method upstream", seen[0].method, sent_method(row)),
              ("target upstream", seen[0].target, expected_target(gate, row)),
              ("body upstream", seen[0].body,
               body_of(row, fields_of(gate, row)))]
    if row.host != "-":
        wanted.append(("Host upstream", named["host"], [host_of(gate, row)]))
    for item in gate.fill(row.sent).split(";;"):
        name, colon, value = item.lstrip("!").partition(":")
        if colon or item.startswith("!"):
            wanted.append((f"{name} upstream", named[name.lower()],
                           [value.strip()] if colon else []))
    return differences(wanted)


def is_forwarded(row):
    return row.status == "forward"


def outcome(row):
    """Status and reason of the live answer."""
    return (200, None) if is_forwarded(row) else (int(row.status), row.reason)


def live(gate, row):
    forwarded = is_forwarded(row)
    status, reason = outcome(row)
    try:
        got, allow, media, body = talk(gate, row)
    except (OSError, http.client.HTTPException) as error:
        return [f"no answer: {error!r}"]
    wrong = differences((
        ("status", got, status),
        ("Allow", allow,
         {"-": None, "(empty)": ""}.get(row.allow, row.allow)),
    ))
    if forwarded:
        if row.method != "HEAD" and body != b"ok":
            wrong.append(f"the upstream's body came as {body!r}")
    else:
        wrong += check_answer(row, reason, media, body)
    return wrong + check_upstream(gate, row, forwarded)


def check_answer(row, reason, media, body):
    """The reason, from the body, where the answer has one."""
    if row.method == "HEAD" or row.status == "204":
        return differences((("body", body, b""),))
    if row.status == "200":
        return differences((("body", body, b"ok\n"),))
    # After a malformed head nothing says what the client accepts.
    if media != "application/problem+json" and not row.id.startswith("bad-"):
        return [f"the answer is {media}: {body!r}"]
    if media == "application/problem+json":
        try:
            problem = json.loads(body)
        except ValueError as error:
            return [f"not JSON: {error}: {body!r}"]
        return differences((("reason", problem.get("reason"), reason),
                            ("allow in the body", problem.get("allow"),
                             expected_allow(row))))
    return [] if reason.encode() in body else [f"{reason} is not in {body!r}"]


class Tally:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def note(self, what, wrong):
        if wrong:
            self.failed += 1
            print(f"FAIL {what}: {'; '.join(wrong)}")
        else:
            self.passed += 1


def is_explained(gate, row):
    return (row.host != "-"
            and body_options(row, fields_of(gate, row)) is not None)


def run_rows(gate, rows, tally):
    for row in rows:
        if is_explained(gate, row):
            tally.note(f"explain {row.id}", explain(gate, row))
        tally.note(f"live {row.id}", live(gate, row))


def check_line(row, lines):
    """The one access line of a row."""
    if len(lines) != 1:
        return [f"{len(lines)} lines: {lines}"]
    line = lines[0]
    flags = sorted(line.get("methodgate.flags", []))
    status, reason = outcome(row)
    sent = sent_method(row)
    return differences((
        ("status", line.get("http.response.status_code"), status),
        ("reason", line.get("methodgate.reason"), reason),
        ("location", line.get("methodgate.location"),
         None if row.location == "-" else row.location.removeprefix("= ")),
        ("flags", flags, flags if row.flags == "*" else listed(row.flags)),
        ("would", (line.get("methodgate.would_status"),
                   line.get("methodgate.would_reason")), expected_would(row)),
        ("method sent", line.get("methodgate.method_sent"),
         sent if sent != row.method else None),
    ))


def check_log(gate, rows, tally):
    """Of a head that was not understood no line can tell whose it was."""
    lines = collections.defaultdict(list)
    for text in gate.log.read_text().splitlines():
        line = json.loads(text)
        lines[line.get("user_agent.original")].append(line)
    for row in rows:
        if not row.id.startswith("bad-"):
            tally.note(f"log {row.id}", check_line(row, lines[row.id]))


def check_end(gate, rows, tally):
    """Nothing came late, and the daemon ends in order."""
    status = gate.stop()
    tally.note("exit", differences((("exit status", status, 0),)))
    wanted = sum(is_forwarded(row) for row in rows)
    tally.note("upstream", differences((
        ("number of requests upstream", len(gate.upstream.seen), wanted),)))
    check_log(gate, rows, tally)
    if tally.failed and gate.said():
        print("the daemon said:\n" + gate.said())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gate", default="build/methodgate",
                        help="the methodgate to test")
    parser.add_argument("ids", nargs="*", help="only these rows")
    options = parser.parse_args()
    rows = read_rows(TESTS / "decision.tsv")
    if options.ids:
        rows = [row for row in rows if row.id in options.ids]
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
        gate = Gate(str(pathlib.Path(options.gate).resolve()),
                    pathlib.Path(folder), Upstream())
        if not pathlib.Path(gate.binary).is_file():
            print(f"FAIL {gate.binary} is not there")
            tally.failed += 1
        elif not gate.start():
            tally.note("start", ["the daemon does not listen: " + gate.said()])
        else:
            try:
                run_rows(gate, rows, tally)
                check_end(gate, rows, tally)
            finally:
                gate.stop()
    print(f"oracle: {tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
