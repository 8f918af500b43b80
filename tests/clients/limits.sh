#!/bin/sh
# SPDX-License-Identifier: ISC
# Clients that mean no good, and what the log and the counters say of them: one
# that never ends its head, 1,000 idle connections of one address, 1,000 requests
# of one client within a moment, and so many connections that no descriptor is
# left. Honest clients are served meanwhile.
. "$(dirname "$0")/../lib.sh"

# Says what was seen.
ok()
{
	echo "$name: $*"
	checks=$((checks + 1))
}

# shellcheck disable=SC2046
set -- $(free_ports 3)
port=$1
app=$2
tight=$3
serve app "$GATE" demo --listen "127.0.0.1:$app"
await "$app" "$server"

cat >"$folder/gate.ini" <<END
[gate]
workers = 2
access_log = $folder/access
max_connections_per_client = 50
head_timeout = 1s
[site]
listen = 127.0.0.1:$port
upstream = app
[upstream app]
server = 127.0.0.1:$app
[location /]
allow = GET
[location /rate]
allow = GET
rate = 1/m burst 20
END
serve gate "$GATE" run -c "$folder/gate.ini"
gate=$server
await "$port" "$gate"

# A head that never ends: a byte now and then does not help.
cat >"$folder/slow.py" <<'END'
import socket, sys, time
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
peer.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
peer.settimeout(0.2)
begun, answer = time.monotonic(), b""
while time.monotonic() - begun < 20:
    try:
        piece = peer.recv(4096)
    except TimeoutError:
        peer.sendall(b"x")
        continue
    except ConnectionResetError:
        break
    answer += piece
    if not piece:
        break
print(answer.split(b"\r\n")[0].decode(), f"{time.monotonic() - begun:.1f}")
END
python3 "$folder/slow.py" "$port" >"$folder/slow" &
slow=$!
for _ in 1 2 3 4 5; do
	curl -s -f -o "$folder/page" "http://127.0.0.1:$port/" ||
		fail 'an honest client was not served beside a slow one'
done
wait "$slow"
grep -q '^HTTP/1.1 408 Request Timeout [12]\.' "$folder/slow" ||
	fail "a head that never ends: $(cat "$folder/slow")"
tests/wire/await-log "$folder/access" 'client\.head_timeout' ||
	fail 'the access log does not tell of the slow head'
ok 'a head that never ends is answered 408 after head_timeout, in the log'

# A thousand of one address: fifty are kept, the rest is told to go.
cat >"$folder/crowd.py" <<'END'
import os, socket, sys
held, refused = [], 0
for _ in range(1000):
    peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20,
                                    ("127.0.0.3", 0))
    peer.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = peer.recv(65536)
    if answer.startswith(b"HTTP/1.1 200 "):
        held.append(peer)
    elif answer.startswith(b"HTTP/1.1 503 "):
        refused += 1
    else:
        sys.exit(f"neither 200 nor 503: {answer[:40]}")
print(len(held), refused, flush=True)
sys.stdin.read()
END
mkfifo "$folder/hold"
python3 "$folder/crowd.py" "$port" <"$folder/hold" >"$folder/crowd" &
crowd=$!
exec 3>"$folder/hold"
tests/wire/await-log "$folder/crowd" . || fail 'the crowd did not come'
[ "$(cat "$folder/crowd")" = '50 950' ] ||
	fail "a crowd of 1000: $(cat "$folder/crowd") instead of 50 950"
curl -s -f -o "$folder/page" "http://127.0.0.1:$port/" ||
	fail 'an honest client was not served beside a crowd'
exec 3>&-
wait "$crowd"
grep -q 'connection refused client=127.0.0.3 reason=too_many_connections_of_client' \
	"$folder/gate.log" || fail 'the log does not tell of the crowd'
lines=$(grep -c 'connection refused client' "$folder/gate.log")
[ "$lines" -le 20 ] || fail "$lines lines for one crowd"
ok "1000 connections of one address: 50 kept, 950 answered 503, $lines lines"

# A thousand requests of one client: as many as its rate gives are served.
cat >"$folder/rush.py" <<'END'
import collections, http.client, sys
def ask(source, count):
    peer = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), 20,
                                      (source, 0))
    found = collections.Counter()
    for _ in range(count):
        peer.request("GET", "/rate")
        answer = peer.getresponse()
        answer.read()
        found[answer.status] += 1
        assert answer.status == 200 or 1 <= int(answer.headers["retry-after"]) <= 60
    return found
print(*sorted(ask("127.0.0.4", 1000).items()))
assert ask("127.0.0.5", 20) == {200: 20}
END
python3 "$folder/rush.py" "$port" >"$folder/rush" ||
	fail 'an honest client was not served beside one that asks too often'
[ "$(cat "$folder/rush")" = '(200, 20) (429, 980)' ] ||
	fail "1000 requests: $(cat "$folder/rush")"
kill "$gate"
wait "$gate" || fail 'the gate did not stop cleanly'
# all three: the slow one, the crowd, the rush
[ "$(grep -c '"rate_limited"' "$folder/access")" -eq 980 ] ||
	fail 'the access log does not tell of the requests past the rate'
grep -Eq 'stopped connections=.* client_failed=1 .* refused=950 accept_paused=0 rate_limited=980 ' \
	"$folder/gate.log" || fail "$(tail -n 1 "$folder/gate.log")"
ok '1000 requests of one client at burst 20: 20 served, 980 answered 429; counted'

# No descriptor left: the limit is lowered behind the gate's back.
sed -e "s/:$port/:$tight/" -e '/max_connections_per_client/d' \
	-e 's/workers = 2/workers = 1/' "$folder/gate.ini" >"$folder/tight.ini"
serve tight "$GATE" run -c "$folder/tight.ini"
gate=$server
await "$tight" "$gate"
cat >"$folder/out.py" <<'END'
import os, resource, select, socket, sys, time
port, pid = int(sys.argv[1]), int(sys.argv[2])
def ask(peer):
    peer.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    return peer.recv(65536)[9:12].decode()
def ticks():
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])
honest = socket.create_connection(("127.0.0.1", port), 20)
assert ask(honest) == "200"
used = len(os.listdir(f"/proc/{pid}/fd"))
before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 5, before[1]))
crowd = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(50)]
for peer in crowd:
    peer.sendall(b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n")
spent, begun = ticks(), time.monotonic()
served = 0
while time.monotonic() - begun < 3:
    assert ask(honest) == "200"
    served += 1
    time.sleep(0.01)
spent = ticks() - spent
# Who waits comes in as soon as somebody goes, not after a second.
def next_served():
    peer = select.select(crowd, [], [], 20)[0][0]
    assert peer.recv(4096)[9:12] == b"501"
    crowd.remove(peer)
    return peer
inside = []
while select.select(crowd, [], [], 0)[0]:
    inside.append(next_served())
begun = time.monotonic()
for gone in range(10):
    inside.pop().close()
    inside.append(next_served())
took = time.monotonic() - begun
resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
answers = [peer.recv(4096)[9:12].decode() for peer in crowd]
assert answers == ["501"] * (40 - len(inside)), answers
print(served, spent, f"{took:.1f}")
END
python3 "$folder/out.py" "$tight" "$gate" >"$folder/out" ||
	fail 'without descriptors an open connection is not served'
read -r served spent took <"$folder/out"
[ "$spent" -le 100 ] || fail "$spent ticks of CPU in 3 s without descriptors"
[ "${took%.*}" -lt 5 ] || fail "10 went one by one, who followed waited $took s"
kill "$gate"
wait "$gate" || fail 'the gate did not stop cleanly'
paused=$(sed -n 's/.*stopped .* accept_paused=\([0-9]*\) .*/\1/p' \
	"$folder/tight.log")
[ "$paused" -ge 3 ] && [ "$paused" -le 50 ] || fail "paused $paused times"
lines=$(grep -c 'accepting pauses error=Too many open files' "$folder/tight.log")
[ "$lines" -ge 1 ] && [ "$lines" -le 15 ] ||
	fail "$paused pauses in $lines lines"
ok "no descriptor left: $paused pauses in $lines lines, $served requests served, $spent ticks of CPU in 3 s; 10 went and 10 came in $took s; then all who waited"
done_here
