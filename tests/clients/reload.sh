#!/bin/sh
# SPDX-License-Identifier: ISC
# Reloads under load: each changes an allowlist and a certificate and, in turn, a
# listener, a unix socket or an upstream, while wrk asks over 64 kept connections
# and over new ones, plain and by TLS, of two workers. No request fails, a kept
# connection sees each change with its next request, a new one the certificate,
# and no descriptor or memory is left.
# 20 reloads in 10 seconds; RELOADS=100 SECONDS_OF_LOAD=60 for the long one.
. "$(dirname "$0")/../lib.sh"
: "${RELOADS:=20}" "${SECONDS_OF_LOAD:=10}"

# shellcheck disable=SC2046
set -- $(free_ports 5)
port=$1
other=$2
one=$3
two=$4
sealed=$5
mkdir "$folder/certificates"
tests/certificates "$folder/certificates"
serve one "$GATE" demo --listen "127.0.0.1:$one"
await "$one" "$server"
serve two "$GATE" demo --listen "127.0.0.1:$two"
await "$two" "$server"

# The authority of the certificate, by the number of the reload.
authority() # n
{
	[ $(($1 % 2)) -eq 1 ] && echo other || echo ca
}

# Whatever a reload may change stands here.
configuration() # n
{
	cat <<-END
	[gate]
	workers = 2
	access_log = $folder/access.log
	access_log_select = refused
	[site]
	listen = 127.0.0.1:$port
	listen = 127.0.0.1:$sealed tls
	END
	pair=$folder/certificates/local
	[ "$(authority "$1")" = ca ] || pair=$folder/certificates/other-local
	printf 'certificate = %s.pem\nkey = %s.key\n' "$pair" "$pair"
	[ $(($1 % 4)) -ne 1 ] || echo "listen = 127.0.0.1:$other"
	[ $(($1 % 4)) -ne 2 ] || echo "listen = unix:$folder/door"
	cat <<-END
	upstream = app
	[upstream app]
	server = 127.0.0.1:$one
	END
	[ $(($1 % 4)) -ne 3 ] || echo "server = 127.0.0.1:$two"
	cat <<-END
	[location /]
	allow = GET POST
	[location /changes]
	END
	[ $(($1 % 2)) -eq 1 ] && echo 'allow = GET PUT' || echo 'allow = GET'
}

# The connection that is kept: PUT is allowed after each odd reload.
cat >"$folder/probe.py" <<'END'
import http.client, sys
gate = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
gate.connect()
socket = gate.sock
for line in sys.stdin:
    wanted = int(line)
    gate.request("PUT", "/changes", b"x")
    answer = gate.getresponse()
    answer.read()
    if answer.status != wanted or gate.sock is not socket:
        sys.exit(f"{answer.status}, not {wanted}; or it was closed")
    print("seen", flush=True)
END

reload() # n
{
	configuration "$1" >"$folder/gate.ini"
	kill -HUP "$gate"
	left=400
	until [ "$(grep -c 'info: reloaded' "$folder/gate.log")" -ge "$1" ]; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || fail "reload $1 was not done"
		sleep 0.025
	done
}

descriptors()
{
	ls "/proc/$gate/fd" | wc -l
}

# wrk's word on what failed
expect_clean() # log
{
	! grep -E 'Non-2xx|Socket errors' "$folder/$1.log" ||
	    fail "requests failed: $1"
	served=$(awk '$2 == "requests" { print $1 }' "$folder/$1.log")
	[ "$served" -gt 1000 ] || fail "only $served requests: $1"
	echo "$name: $served requests, $1"
	checks=$((checks + 1))
}

configuration 0 >"$folder/first.ini"
serve_gate "$port" <"$folder/first.ini"
curl -s -o /dev/null "http://127.0.0.1:$port/"
reload 1
reload 2
at_first=$(descriptors)
mkfifo "$folder/asked"
python3 "$folder/probe.py" "$port" <"$folder/asked" >"$folder/probe.log" 2>&1 &
probe=$!
pids="$probe $pids"
trap '' PIPE
exec 3>"$folder/asked"

wrk -t1 -c64 "-d${SECONDS_OF_LOAD}s" "http://127.0.0.1:$port/" \
    >"$folder/kept.log" &
kept=$!
wrk -t1 -c16 "-d${SECONDS_OF_LOAD}s" -H 'Connection: close' \
    "http://127.0.0.1:$port/" >"$folder/new.log" &
new=$!
wrk -t1 -c64 "-d${SECONDS_OF_LOAD}s" "https://127.0.0.1:$sealed/" \
    >"$folder/sealed.log" &
sealed_kept=$!
wrk -t1 -c8 "-d${SECONDS_OF_LOAD}s" -H 'Connection: close' \
    "https://127.0.0.1:$sealed/" >"$folder/shaken.log" &
sealed_new=$!
pids="$kept $new $sealed_kept $sealed_new $pids"
pause=$(awk "BEGIN { print $SECONDS_OF_LOAD / ($RELOADS + 2) }")
sleep "$pause"
n=2
while [ "$n" -lt "$RELOADS" ]; do
	n=$((n + 1))
	reload "$n"
	[ $((n % 2)) -eq 1 ] && echo 200 >&3 || echo 501 >&3
	curl -s -f -o /dev/null \
	    --cacert "$folder/certificates/$(authority "$n").pem" \
	    "https://127.0.0.1:$sealed/" || fail "reload $n: no new certificate"
	[ "$n" -ne 10 ] || before=$(resident "$gate")
	sleep "$pause"
done
after=$(resident "$gate")
exec 3>&-
wait "$kept"
wait "$new"
wait "$sealed_kept"
wait "$sealed_new"
wait "$probe" || {
	cat "$folder/probe.log" >&2
	fail 'a kept connection did not see it'
}
expect_clean kept
expect_clean new
expect_clean sealed
expect_clean shaken
[ "$(grep -c seen "$folder/probe.log")" -eq $((RELOADS - 2)) ] ||
    fail 'the probe saw less'
checks=$((checks + 1))
! grep -E ': (error|warn): ' "$folder/gate.log" || fail 'the log tells of it'

# Connections to servers close after idle_timeout.
left=200
while [ "$(descriptors)" -gt "$at_first" ] && [ "$left" -gt 0 ]; do
	left=$((left - 1))
	sleep 0.05
done
now=$(descriptors)
echo "$name: $n reloads; descriptors $at_first before, $now after;" \
    "resident $before kB after 10, $after kB at the end"
[ "$now" -le "$at_first" ] || fail 'descriptors are left'
[ $((after - before)) -le 2048 ] || fail 'it has grown'
checks=$((checks + 2))
kill "$gate"
wait "$gate" || fail "the gate ended with $?"
grep 'worker stopped' "$folder/gate.log" | sed "s/.*info/$name/"
done_here
