#!/bin/sh
# SPDX-License-Identifier: ISC
# Three servers under load: one is killed, one stops, one answers 500, then all
# of it at once. What clients saw is counted; when all are back they share again.
. "$(dirname "$0")/../lib.sh"

# shellcheck disable=SC2046
set -- $(free_ports 4)
port=$1
url=http://127.0.0.1:$port
clients=8

start() # name port
{
	mkdir -p "$folder/$1"
	cat >"$folder/$1/nginx.conf" <<-END
	daemon off;
	master_process off;
	pid $folder/$1/pid;
	error_log stderr;
	events { }
	http {
		access_log off;
		keepalive_timeout 60s;
		keepalive_requests 1000000;
		client_body_temp_path $folder/$1/body;
		proxy_temp_path $folder/$1/proxy;
		fastcgi_temp_path $folder/$1/fastcgi;
		uwsgi_temp_path $folder/$1/uwsgi;
		scgi_temp_path $folder/$1/scgi;
		server {
			listen 127.0.0.1:$2;
			add_header X-From $1;
			if (-f $folder/$1/bad) { return 500; }
			location / { return 200 "ok"; }
		}
	}
	END
	serve "$1" nginx -e stderr -c "$folder/$1/nginx.conf"
	await "$2" "$server"
}

# Asks over kept connections until $folder/stop is there, and for some more;
# $folder/going is there once it is under way. Then $folder/seen has how often
# each status came, and each server: "200 1234", "one 617".
cat >"$folder/load.py" <<'END'
import collections, http.client, os, sys, threading
port, clients, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
seen = collections.Counter()
lock = threading.Lock()

def run():
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    left = 100
    while left > 0:
        left -= os.path.exists(folder + "/stop")
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            what = [str(answer.status), answer.headers.get("X-From", "none")]
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            what = ["broken"]
        with lock:
            seen.update(what)
            if seen["200"] == 500:
                open(folder + "/going", "w").close()

threads = [threading.Thread(target=run) for _ in range(clients)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with open(folder + "/seen", "w") as file:
    for what, count in sorted(seen.items()):
        print(what, count, file=file)
END

begin()
{
	rm -f "$folder/stop" "$folder/seen" "$folder/going"
	python3 "$folder/load.py" "$port" "$clients" "$folder" &
	load=$!
	left=400
	until [ -e "$folder/going" ]; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || fail 'no load'
		sleep 0.05
	done
}

end() # what it was about
{
	touch "$folder/stop"
	wait "$load" || fail 'the load failed'
	echo "$name: $1: $(tr '\n' ',' <"$folder/seen")"
}

count() # what
{
	awk -v what="$1" '$1 == what { n = $2 } END { print n + 0 }' \
	    "$folder/seen"
}

# All but so many came with 200, and the others with one of the statuses.
expect_served() # most status...
{
	most=$1
	shift
	total=$(awk '$1 ~ /^[0-9]+$|broken/ { n += $2 } END { print n }' \
	    "$folder/seen")
	good=$(count 200)
	known=$good
	for status; do
		known=$((known + $(count "$status")))
	done
	[ "$good" -gt 100 ] || fail "only $good were served"
	[ "$known" -eq "$total" ] || fail "$((total - known)) saw something else"
	[ $((total - good)) -le "$most" ] ||
	    fail "$((total - good)) of $total were not served, not $most"
	checks=$((checks + 1))
}

# A third of the requests each, within a hundredth.
expect_shared()
{
	begin
	end 'all three'
	expect_served 0
	for who in one two three; do
		share=$(($(count "$who") * 3000 / $(count 200)))
		[ "$share" -ge 990 ] && [ "$share" -le 1010 ] ||
		    fail "$who has $share in a thousand of a third"
	done
	checks=$((checks + 1))
}

logged() # pattern count
{
	left=400
	until [ "$(grep -c "$1" "$folder/gate.log")" -ge "$2" ]; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || fail "not logged $2 times: $1"
		sleep 0.05
	done
	checks=$((checks + 1))
}

start one "$2"
one=$server
start two "$3"
two=$server
start three "$4"
serve_gate "$port" <<END
[gate]
access_log = off
[site]
listen = 127.0.0.1:$port
upstream = app
[upstream app]
server = 127.0.0.1:$2
server = 127.0.0.1:$3
server = 127.0.0.1:$4
response_timeout = 2s
health = /well
health_interval = 1s
health_rise = 1
health_fall = 2
[location /]
allow = @read
END
expect_shared

# Killed: kept connections break, new ones are refused. Nobody sees it.
begin
kill -9 "$one"
logged "server down address=127.0.0.1:$2" 1
end 'one killed'
expect_served 0
start one "$2"
one=$server
logged "server up address=127.0.0.1:$2" 1
expect_shared

# Stopped: it takes connections and answers nothing. A request that it has may
# have been carried out; each client loses two at most before it is down.
begin
kill -STOP "$two"
logged "server down address=127.0.0.1:$3" 1
end 'two stopped'
expect_served $((2 * clients)) 504
begin
end 'two left out'
expect_served 0
kill -CONT "$two"
logged "server up address=127.0.0.1:$3" 1
expect_shared

# 500 is an answer. It is passed on until the checks have found it twice.
begin
touch "$folder/three/bad"
logged "server down address=127.0.0.1:$4 reason=status_500" 1
end 'three answers 500'
expect_served 1000000 500
begin
end 'three left out'
expect_served 0
rm "$folder/three/bad"
logged "server up address=127.0.0.1:$4" 1
expect_shared

# All of it at once.
touch "$folder/three/bad"
kill -9 "$one"
kill -STOP "$two"
logged 'server down ' 6
expect 503 status "$url/"
expect_line '^Retry-After: 1$' curl -s -i "$url/"
expect_line '^Proxy-Status: .*destination_unavailable' curl -s -i "$url/"
kill -USR2 "$gate"
logged 'server upstream=app .* state=down ' 3
rm "$folder/three/bad"
kill -CONT "$two"
start one "$2"
logged 'server up ' 6
expect_shared
done_here
