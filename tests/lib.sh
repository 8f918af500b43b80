# SPDX-License-Identifier: ISC
# For client tests: servers on free ports, ended when the test ends, and
# checks that say what they saw. To be sourced; GATE names the methodgate.
set -eu
cd "$(dirname "$0")/../.."
: "${GATE:=build/methodgate}"
name=$(basename "$0" .sh)
folder=$(mktemp -d)
pids=''
checks=0

finish()
{
	status=$?
	trap - EXIT INT TERM
	for pid in $pids; do
		kill "$pid" 2>/dev/null || true
	done
	wait
	[ "$status" -eq 0 ] || tail -n 5 "$folder"/*.log >&2 || true
	rm -rf "$folder"
	exit "$status"
}
trap finish EXIT
trap 'exit 1' INT TERM

fail()
{
	echo "$name: $*" >&2
	exit 1
}

# Prints n ports that are free now, below those that the kernel gives to
# clients.
free_ports() # n
{
	python3 - "$1" <<-'END'
	import random, socket, sys
	held = []
	while len(held) < int(sys.argv[1]):
	    s = socket.socket()
	    try:
	        s.bind(("127.0.0.1", random.randrange(10000, 32768)))
	        held.append(s)
	    except OSError:
	        s.close()
	print(*(s.getsockname()[1] for s in held))
	END
}

# Runs a server until the test ends; its process id is $server.
serve() # log command...
{
	log=$folder/$1.log
	shift
	"$@" >"$log" 2>&1 &
	server=$!
	pids="$server $pids"
}

# Until something listens there; fails when the process has gone.
await() # port pid
{
	python3 - "$1" "$2" <<-'END' || fail "nothing listens on port $1"
	import os, socket, sys, time
	end = time.monotonic() + 20
	while socket.socket().connect_ex(("127.0.0.1", int(sys.argv[1]))):
	    os.kill(int(sys.argv[2]), 0)
	    if time.monotonic() > end:
	        sys.exit(1)
	    time.sleep(0.02)
	END
}

# The gate with this configuration text on standard input.
serve_gate() # port
{
	cat >"$folder/gate.ini"
	serve gate "$GATE" run -c "$folder/gate.ini"
	gate=$server
	await "$1" "$gate"
}

# What a command prints must be this.
expect() # wanted command...
{
	wanted=$1
	shift
	got=$("$@") || fail "exit status $?: $*"
	[ "$got" = "$wanted" ] || fail "'$got', not '$wanted': $*"
	checks=$((checks + 1))
}

# What a command prints must hold a line that matches.
expect_line() # pattern command...
{
	wanted=$1
	shift
	"$@" >"$folder/said" || fail "exit status $?: $*"
	tr -d '\r' <"$folder/said" | grep -q -E "$wanted" || {
		cat "$folder/said" >&2
		fail "no line like '$wanted': $*"
	}
	checks=$((checks + 1))
}

status() # curl arguments
{
	curl -s -o /dev/null -m 20 -w '%{http_code}' "$@"
}

resident() # pid: kilobytes now
{
	awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"
}

# The most that it ever had since reset_peak.
peak() # pid
{
	awk '$1 == "VmHWM:" { print $2 }' "/proc/$1/status"
}

reset_peak() # pid
{
	echo 5 >"/proc/$1/clear_refs"
}

done_here()
{
	[ "$checks" -gt 0 ] || fail 'checked nothing'
	echo "$name: ok, $checks checks"
}
