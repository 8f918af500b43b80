#!/bin/sh
# SPDX-License-Identifier: ISC
# nginx that rewrites methods before the gate, and nginx behind it: the access
# lines of the three tell what arrived where, and the gate's what it sent.
. "$(dirname "$0")/../lib.sh"

# shellcheck disable=SC2046
set -- $(free_ports 4)
port=$1
rewriting=$2
plain=$3
upstream=$4
cat >"$folder/nginx.conf" <<END
daemon off;
master_process off;
pid $folder/nginx.pid;
error_log stderr;
events { }
http {
	log_format seen '\$request_uri \$request_method';
	client_body_temp_path $folder/body;
	proxy_temp_path $folder/proxy;
	fastcgi_temp_path $folder/fastcgi;
	uwsgi_temp_path $folder/uwsgi;
	scgi_temp_path $folder/scgi;
	access_log off;
	server {
		listen 127.0.0.1:$rewriting;
		location / {
			proxy_method GET;
			proxy_pass http://127.0.0.1:$port;
		}
	}
	server {
		listen 127.0.0.1:$plain;
		location / { proxy_pass http://127.0.0.1:$port; }
	}
	server {
		listen 127.0.0.1:$upstream;
		access_log $folder/behind.log seen;
		location / { return 200; }
		location /moved { return 301 /; }
	}
}
END
serve nginx nginx -e stderr -c "$folder/nginx.conf"
await "$upstream" "$server"
serve_gate "$port" <<END
[gate]
access_log = $folder/access.log
[site]
listen = 127.0.0.1:$port
upstream = behind
[upstream behind]
server = 127.0.0.1:$upstream
[location /]
allow = @rest
[location /read]
allow = GET
[location /patch]
allow = GET POST PATCH
rewrite_method = PATCH -> POST
END

# which door, method, path, body; then status, what arrived at the gate, what it
# sent, what arrived behind it, and its flags
cat >"$folder/cases" <<'END'
plain DELETE /1 - 200 DELETE DELETE DELETE -
plain POST /2 text 200 POST POST POST -
plain DELETE /read/3 - 405 DELETE - - -
plain PATCH /patch/4 text 200 PATCH POST POST method_rewritten
plain GET /patch/5 - 200 GET GET GET -
plain DELETE /patch/6 - 405 DELETE - - -
plain POST /moved/7 text 301 POST POST POST redirect_rewrites_method
rewriting DELETE /8 - 200 GET GET GET -
rewriting DELETE /read/9 - 200 GET GET GET -
rewriting HEAD /read/10 - 200 GET GET GET -
rewriting POST /11 text 200 GET GET GET body_on_get
rewriting PATCH /patch/12 text 200 GET GET GET body_on_get
rewriting POST /read/13?_method=DELETE - 403 GET - - override_query
rewriting BREW /14 - 200 GET GET GET -
gate PATCH /patch/15 - 200 PATCH POST POST method_rewritten
gate HEAD /16 - 200 HEAD HEAD HEAD -
END
while read -r door method path body wanted rest; do
	case $door in
	plain) at=$plain ;;
	rewriting) at=$rewriting ;;
	gate) at=$port ;;
	esac
	set -- -X "$method"
	[ "$method" != HEAD ] || set -- -I
	[ "$body" = - ] || set -- "$@" -H 'Content-Type: text/plain' -d "$body"
	expect "$wanted" status "$@" "http://127.0.0.1:$at$path"
done <"$folder/cases"

# A graceful stop writes all lines.
kill "$gate"
wait "$gate"
python3 - "$folder" <<'END' || fail 'the access lines do not tell'
import json, sys
folder = sys.argv[1]
with open(folder + "/behind.log") as log:
    behind = dict(line.split() for line in log)
gate = {}
with open(folder + "/access.log") as log:
    for line in map(json.loads, log):
        query = line.get("url.query")
        gate[line["url.path"] + (f"?{query}" if query else "")] = line
bad = 0
print(f"{'sent to':<9} {'request':<28} | {'at the gate':<11} | sent   | behind "
      "| gate's answer and flags")
with open(folder + "/cases") as cases:
    rows = [line.split() for line in cases]
for door, method, path, body, status, arrived, sent, last, flags in rows:
    line = gate[path]
    forwarded = "methodgate.upstream_status" in line
    found = [line["http.request.method"],
             line.get("methodgate.method_sent", line["http.request.method"])
             if forwarded else "-", behind.get(path, "-"),
             ",".join(line.get("methodgate.flags", [])) or "-"]
    print(f"{door:<9} {method + ' ' + path:<28} | {found[0]:<11} |"
          f" {found[1]:<6} | {found[2]:<6} |"
          f" {line['http.response.status_code']} {found[3]}")
    if found != [arrived, sent, last, flags]:
        print(f"FAIL wanted {arrived} {sent} {last} {flags}")
        bad += 1
sys.exit(bad or len(gate) != len(rows))
END
checks=$((checks + $(wc -l <"$folder/cases")))
done_here
