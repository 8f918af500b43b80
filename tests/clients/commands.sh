#!/bin/sh
# SPDX-License-Identifier: ISC
# The commands that serve nobody: what explain, table and check print, to the
# letter, and their exit statuses.
. "$(dirname "$0")/../lib.sh"

cat >"$folder/shop.ini" <<END
[site]
listen = 127.0.0.1:8080
host = shop.example
upstream = app
methods = PURGE
path_params = rest_route
[upstream app]
server = 127.0.0.1:3000
[location /]
allow = @form
[location /admin]
allow = GET
grant = DELETE until 2999-12-31 OPS-123
grant = GET PATCH until 2020-02-29
[location /api]
allow = @rest
rewrite_method = PATCH -> POST
[location = /cache]
allow = GET PURGE
mode = report
options = answer
[location /strip]
allow = @form
override = strip
[location /flag]
allow = @form
override = flag
body_limit = 8
END
case $GATE in
/*) ;;
*) GATE=$PWD/$GATE ;;
esac
root=$PWD
cd "$folder"

# What a command prints must be standard input, to the letter.
expect_text() # command...
{
	cat >"$folder/wanted"
	"$@" >"$folder/said" || fail "exit status $?: $*"
	# The time of an answer is the only thing that changes.
	sed 's/^           Date: .*/           Date/' "$folder/said" >"$folder/got"
	diff -u "$folder/wanted" "$folder/got" >&2 || fail "other text: $*"
	checks=$((checks + 1))
}

# It must end with this status, and say that on standard error.
expect_refusal() # status pattern command...
{
	wanted=$1
	pattern=$2
	shift 2
	got=0
	"$@" >"$folder/said" 2>"$folder/errors" || got=$?
	[ "$got" = "$wanted" ] || fail "exit status $got, not $wanted: $*"
	[ ! -s "$folder/said" ] || fail "there is output: $*"
	grep -q -E -e "$pattern" "$folder/errors" || {
		cat "$folder/errors" >&2
		fail "no line like '$pattern': $*"
	}
	checks=$((checks + 1))
}

explain()
{
	"$GATE" explain -c shop.ini "$@"
}

# From one heading of the output to before the next.
part() # heading command...
{
	heading=$1
	shift
	"$@" | awk -v heading="$heading" '
	    /^[a-z]/ { shown = index($0, heading) == 1 } shown'
}

# The line of one question.
question() # number arguments of explain...
{
	number=$1
	shift
	explain "$@" | grep "^ *$number "
}

# A member of the JSON, as JSON.
member() # name command...
{
	wanted_member=$1
	shift
	"$@" | python3 -c '
import json, sys
told = json.load(sys.stdin)
print(json.dumps(told[sys.argv[1]]))' "$wanted_member"
}

# ---- explain: a refusal as a whole ----

expect_text explain POST /admin <<'END'
request    POST /admin
site       shop  shop.ini:1
location   /admin  shop.ini:11
grant      DELETE until 2999-12-31 OPS-123  shop.ini:13
questions
   1 one unambiguous HTTP message               yes
   2 a site for this host                       yes
   3 one location in every reading of the path  yes
   4 a method that the site supports            yes
   5 a location for the path                    yes
   6 the method is allowed there                no
   7 the effective method is allowed too        not asked
   8 the destination takes the write            not asked
   9 the plan is entitled                       not asked
  10 the body is within the limit               not asked
  11 the body's effective method is allowed     not asked
verdict    405 method_not_allowed
response   HTTP/1.1 405 Method Not Allowed
           Date
           Server: methodgate
           Allow: GET, HEAD, DELETE
           Cache-Control: no-store
           Proxy-Status: methodgate; error=http_request_error; details="method_not_allowed"
           X-Request-Id: (made for each request)
           Content-Type: text/plain; charset=utf-8
           X-Content-Type-Options: nosniff
           Vary: Accept

405 Method Not Allowed
This resource does not take this method.

Method: POST
Target: /admin
Location: /admin
Allowed: GET, HEAD, DELETE
Reason: method_not_allowed
Request id: (made for each request)
END

# ---- explain: a forwarded request, and the ways to write a body ----

expect_text explain POST /api --form 'a=b&_method=DELETE' <<'END'
request    POST /api
site       shop  shop.ini:1
location   /api  shop.ini:15
questions
   1 one unambiguous HTTP message               yes
   2 a site for this host                       yes
   3 one location in every reading of the path  yes
   4 a method that the site supports            yes
   5 a location for the path                    yes
   6 the method is allowed there                yes
   7 the effective method is allowed too        yes
   8 the destination takes the write            yes
   9 the plan is entitled                       not asked
  10 the body is within the limit               yes
  11 the body's effective method is allowed     yes
overrides
  form _method = DELETE
      honoured by Rails, Symfony, Laravel, Yii2, Slim, CakePHP, CodeIgniter, FlightPHP, Spring, Express, Plug, ASP.NET Core, gorilla, Echo
      from POST
      would run it as DELETE: Rails, Symfony, Laravel, Yii2, Slim, CakePHP, CodeIgniter, FlightPHP, Spring, Express, Plug, ASP.NET Core, gorilla, Echo
flags
  override_body     The body names another method
verdict    forwarded to upstream app: 127.0.0.1:3000
END
refused='"override_not_allowed"'
expect "$refused" member reason explain -j POST /api --form _method=PURGE
expect "$refused" member reason explain -j POST /api \
    --json-body '{"_method":"PURGE"}'
expect "$refused" member reason explain -j POST /api --multipart _method=PURGE
expect "$refused" member reason explain -j POST /api \
    --multipart a=b --multipart _method=PURGE
expect '"forward"' member verdict explain -j POST / --multipart a=_method
expect '"override_unreadable"' member reason explain -j POST / \
    --form a=b -H 'Content-Encoding: gzip'
expect '"forward"' member verdict explain -j POST / --form _method=PUT \
    -H 'Content-Type: text/css'
expect '["body_on_get"]' member flags explain -j GET / --json-body '{}'
expect '[]' member flags explain -j GET / --form ''
expect '"too_large.body"' member reason explain -j POST /flag --form 123456789
expect '"too_large.body"' member reason explain -j POST /flag \
    --form 123456789 -H 'Transfer-Encoding: chunked'
expect '  10 the body is within the limit               yes' \
    question 10 POST /flag --form 12345678 -H 'Transfer-Encoding: chunked'
expect '  10 the body is within the limit               open' \
    question 10 POST /flag -H 'Transfer-Encoding: chunked'

# Nobody gave the body: what it decides is open.
expect_text part questions explain POST /api -H 'Content-Length: 5' <<'END'
questions
   1 one unambiguous HTTP message               yes
   2 a site for this host                       yes
   3 one location in every reading of the path  yes
   4 a method that the site supports            yes
   5 a location for the path                    yes
   6 the method is allowed there                yes
   7 the effective method is allowed too        yes
   8 the destination takes the write            not asked
   9 the plan is entitled                       not asked
  10 the body is within the limit               yes
  11 the body's effective method is allowed     open
     no body was given: see --form, --json-body and --multipart
END
expect_text part verdict explain POST /api -H 'Transfer-Encoding: chunked' \
    <<'END'
verdict    forwarded to upstream app: 127.0.0.1:3000
END

# ---- explain: overrides, whatever the answer ----

expect_text part overrides explain GET '/api?x=1&_Method=delete' <<'END'
overrides
  query _method = DELETE
      honoured by WordPress, Symfony, Laravel, Spring, Jersey, CXF, Express, gorilla, Hexagon EcoSys
      from any (WordPress, CXF), else POST
      would run it as DELETE: WordPress, CXF
END
expect_text part overrides explain PUT /admin -H 'X-HTTP-Method: MERGE' \
    --json-body '{"_method": "patch"}' <<'END'
overrides
  header x-http-method = MERGE
      honoured by OData, SharePoint, Express
      from POST
      of these, none would from PUT
  json _method = PATCH
      honoured by Laravel, Plug, Express
      from POST
      of these, none would from PUT
END
expect_text part overrides explain POST /strip -H 'X_HTTP_Method: PUT' <<'END'
overrides
  header x-http-method = PUT
      honoured by OData, SharePoint, Express
      from POST
      would run it as PUT: OData, SharePoint, Express
  fields that name a method do not go upstream (override = strip)
END
# What a terminal would obey is escaped.
expect_line '^  query _method = A\\u001b\[31M$' \
    explain POST '/?_method=A%1B[31m'
expect '[{"place": "query", "name": "_method", "token": "PUT", "who": "WordPress, Symfony, Laravel, Spring, Jersey, CXF, Express, gorilla, Hexagon EcoSys", "wire": "any (WordPress, CXF), else POST", "run_by": "WordPress, CXF"}]' \
    member overrides explain -j GET '/?_method=PUT'

# ---- explain: readings ----

expect_text part readings explain GET '/public/%2e%2e/admin' <<'END'
readings
  /public/../admin  hostile: percent
      leads to /  shop.ini:9
  /admin  hostile: percent, dot_segments
      leads to /admin  shop.ini:11, another location
END
expect_text part 'who reads so' explain GET '/public/%2e%2e/admin' <<'END'
who reads so
  percent           every server
  dot_segments      every server (RFC 3986 5.2.4)
END
expect '"path_ambiguous"' member reason explain -j GET '/public/%2e%2e/admin'
expect_text part readings explain POST /Admin <<'END'
readings
  /admin  benign: case
      leads to /admin  shop.ini:11, which does not take the method
END
expect_text part readings explain GET '/?rest_route=%61dmin' <<'END'
readings
  /admin  benign: path_param
      leads to /admin  shop.ini:11, which takes the method
END
admin='[{"path": "/admin", "readings": ["path_param"], "class": "benign", "location": "/admin", "rule": "shop.ini:11"}]'
for query in rest_route=admin rest.route=/admin 'x;Rest_Route=/admin' \
    '%20rest_route%00=/admin' 'rest_route%5B=/admin'; do
	expect "$admin" member readings explain -j GET "/?$query"
done
expect_text part readings explain GET '/?rest_route=x%00' <<'END'
readings   nul: the path is refused (C programs end here)
END
expect_text part readings explain GET '/a%00' <<'END'
readings   nul: the path is refused (C programs end here)
END
expect '' part readings explain GET '/plain/path'
expect '[{"path": "/admin", "readings": ["case"], "class": "benign", "location": "/admin", "rule": "shop.ini:11"}]' \
    member readings explain -j GET /ADMIN
expect '[{"path": null, "readings": ["nul"], "class": "refused", "location": null, "rule": null}]' \
    member readings explain -j GET '/a%00'

# ---- explain: report mode and rewriting ----

expect_text part flags explain POST /cache <<'END'
flags
  would_deny        Report mode: this would have been refused
END
expect_text part verdict explain POST /cache <<'END'
verdict    forwarded to upstream app: 127.0.0.1:3000
           would have answered 405 method_not_allowed, forwarded (mode = report)
END
expect 'mode       report' part mode explain GET /cache
expect 'true' member report explain -j POST /cache
expect '{"status": 405, "reason": "method_not_allowed"}' \
    member would explain -j POST /cache
expect 'null' member would explain -j GET /cache
expect_text part verdict explain PATCH /api <<'END'
verdict    forwarded to upstream app: 127.0.0.1:3000
           sent upstream as POST (rewrite_method, shop.ini:17)
END
expect '"POST"' member method_sent explain -j PATCH /api
expect '"GET"' member method_sent explain -j GET /api
expect 'null' member method_sent explain -j BREW /api
expect '"BREW"' member method_sent explain -j BREW /cache
# A site without anything for the path still has an upstream to report to.
sed '/^\[location \/\]/,+1d; s/^path_params.*/mode = report/' shop.ini >report.ini
expect_text part verdict "$GATE" explain -c report.ini GET /nowhere <<'END'
verdict    forwarded to upstream app: 127.0.0.1:3000
           would have answered 404 no_location, forwarded (mode = report)
END
expect '[{"methods": ["DELETE"], "until": "2999-12-31", "note": "OPS-123", "active": true, "rule": "shop.ini:13"}, {"methods": ["GET", "HEAD", "PATCH"], "until": "2020-02-29", "note": "", "active": false, "rule": "shop.ini:14"}]' \
    member grants explain -j GET /admin
expect '"malformed.host"' member reason explain -j GET / -H 'Host: a b'
expect '"unknown_host"' member reason explain -j GET http://other.example/

# ---- explain: what it can't know ----

sed '/^\[location \/admin\]/a rate = 60/m burst 9' shop.ini >rate.ini
expect_text part rate "$GATE" explain -c rate.ini POST /admin <<'END'
rate       60/m burst 9 of each client, asked after question 5: past it, 429 rate_limited
END
expect_text part rate "$GATE" explain -c rate.ini BREW /admin <<'END'
rate       60/m burst 9 of each client, not asked
END
expect '' part rate "$GATE" explain -c rate.ini POST /api
expect '{"number": 60, "seconds": 60, "burst": 9}' \
    member rate "$GATE" explain -c rate.ini -j GET /admin
expect 'null' member rate explain -j GET /admin
expect 'null' member rate explain -j GET /nowhere -H 'Host: other.example'

# ---- explain: usage ----

expect_refusal 2 'METHOD and URL are needed' explain GET
expect_refusal 2 'one body is enough' explain POST / --form a=b --form c=d
expect_refusal 2 'one body is enough' explain POST / --multipart a=b --form c
expect_refusal 2 'one body is enough' explain POST / --json-body 1 \
    --multipart a=b
expect_refusal 2 '--multipart needs name=value' explain POST / --multipart a
expect_refusal 2 '--form needs a value' explain POST / --form
expect_refusal 2 'Content-Length is that of the body' explain POST / \
    --form a=b -H 'content-length: 3'
expect_refusal 2 '-c FILE is missing' "$GATE" explain GET /
expect_refusal 1 'none\.ini' "$GATE" explain -c none.ini GET /
expect_text "$GATE" explain --help <<'END'
usage: methodgate explain -c FILE [options] METHOD URL

Tells what the gate would do with a request, and which rule says so.
URL is http://host[:port]/path, https://..., or just /path.

  -c, --config FILE     gate file or site file
  -H, --header 'F: v'   a field of the request; repeatable
      --form 'a=b&c=d'  a body as HTML forms send it
      --json-body '{}'  a body of JSON
      --multipart a=b   a part of a multipart form; repeatable
  -j, --json            as JSON
  -h, --help            this text

Exit status: 0 explained, 1 bad configuration, 2 usage.
END

# ---- table ----

expect_text "$GATE" table -c shop.ini <<'END'
site shop  hosts shop.example  listen 127.0.0.1:8080
  location  GET  HEAD  POST  PUT  PATCH  DELETE  OPTIONS  PURGE  rule
  /         x    x     x     .    .      .       .        .      shop.ini:9
  /admin    x    h     .     .    .      g       .        .      shop.ini:11
  /api      x    x     x     x    r      x       x        .      shop.ini:15
  = /cache  x    h     .     .    .      .       a        x      shop.ini:18  mode = report
  /strip    x    x     x     .    .      .       .        .      shop.ini:22
  /flag     x    x     x     .    .      .       .        .      shop.ini:25
  g /admin    DELETE until 2999-12-31 OPS-123  shop.ini:13
  g /admin    GET, HEAD, PATCH until 2020-02-29 (has ended)  shop.ini:14
  r /api      PATCH goes upstream as POST  shop.ini:17

x allowed   h HEAD that GET allows   a answered by the gate   . refused with 405
g granted until a day   r sent upstream as another method
Where mode = report, what would be refused is forwarded.
Methods without a column are refused with 501 on that site.
END
expect_line '^site report  hosts .*  mode = report$' \
    "$GATE" table -c report.ini

# Of the first site: the location's members, as JSON.
row() # pattern
{
	"$GATE" table -j -c shop.ini | python3 -c '
import json, sys
site = json.load(sys.stdin)[0]
for row in site["locations"]:
    if row["location"] == sys.argv[1]:
        print(json.dumps(row))' "$1"
}

expect '{"location": "/admin", "exact": false, "allow": ["GET", "HEAD", "DELETE"], "grants": [{"methods": ["DELETE"], "until": "2999-12-31", "note": "OPS-123", "active": true, "rule": "shop.ini:13"}, {"methods": ["GET", "HEAD", "PATCH"], "until": "2020-02-29", "note": "", "active": false, "rule": "shop.ini:14"}], "rewrite": null, "rate": null, "report": false, "options": "forward", "upstream": "app", "rule": "shop.ini:11"}' \
    row /admin
expect '{"location": "/api", "exact": false, "allow": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], "grants": [], "rewrite": {"from": "PATCH", "to": "POST", "rule": "shop.ini:17"}, "rate": null, "report": false, "options": "forward", "upstream": "app", "rule": "shop.ini:15"}' \
    row /api
expect '{"location": "/cache", "exact": true, "allow": ["GET", "HEAD", "OPTIONS", "PURGE"], "grants": [], "rewrite": null, "rate": null, "report": true, "options": "answer", "upstream": "app", "rule": "shop.ini:18"}' \
    row /cache
expect_line '^  /admin .*  rate.ini:11  rate = 60/m burst 9$' \
    "$GATE" table -c rate.ini
expect_refusal 2 '-c FILE is missing' "$GATE" table
expect_refusal 2 'unexpected argument more' "$GATE" table -c shop.ini more
expect_text "$GATE" table --help <<'END'
usage: methodgate table -c FILE [--json]

Prints the locations of each site and the methods that they allow.

  -c, --config FILE   gate file or site file
  -j, --json          as JSON
  -h, --help          this text
END

# ---- check ----

expect_text sh -c "'$GATE' check -c shop.ini 2>errors" <<'END'
shop.ini:13: grant at /admin: DELETE until 2999-12-31 OPS-123
shop.ini:14: grant at /admin: GET, HEAD, PATCH until 2020-02-29
shop.ini: good: sites=1 locations=6 upstreams=1 warnings=3
END
expect_line 'shop\.ini:14: .*grant has ended' cat errors
expect_line 'shop\.ini:17: .*PATCH goes upstream as POST' cat errors
expect '' sh -c "'$GATE' check -q -c shop.ini 2>&1"
echo 'allow = @form BREW' >>shop.ini
expect_refusal 1 '^shop\.ini:29: .*BREW' "$GATE" check -c shop.ini
expect_refusal 2 '-c FILE is missing' "$GATE" check
expect_refusal 2 'unknown option --loud' "$GATE" check --loud
expect_text "$GATE" check --help <<'END'
usage: methodgate check -c FILE [-q] [--diff OLD [--json]]

Reads FILE and the site files it names, looks up the servers' names, and
prints every error, warning and grant as file:line: message.

  -c, --config FILE   gate file or site file
  -d, --diff OLD      what changes from the configuration OLD to FILE:
                      lines with - are gone, lines with + are new
  -j, --json          the changes as JSON
  -q, --quiet         nothing when all is good; warnings are left out,
                      changes are told by the exit status only
  -n, --no-resolve    don't look up names of servers and owners
  -h, --help          this text

Exit status: 0 good (there may be warnings, and changes), 1 bad,
2 usage, 3 good with changes (--diff and --quiet together).
END

# ---- check --diff ----

cat >old.ini <<'END'
[site]
name = shop
listen = 127.0.0.1:8080
host = a.example
upstream = app
[upstream app]
server = 127.0.0.1:1 weight=2
[location /]
allow = GET
[location /api]
allow = GET POST DELETE
body_limit = 1m
[location /gone]
allow = GET PUT
END
cat >new.ini <<'END'
[gate]
workers = 3
[site]
name = shop
listen = 127.0.0.1:8080, 127.0.0.1:8081
host = a.example b.example
upstream = app
[upstream app]
server = 127.0.0.1:1
server = 127.0.0.1:2 max=7 backup
[location /]
allow = GET
[location /api]
allow = GET POST PATCH
override = deny
rate = 5/s burst 9
grant = DELETE until 2999-01-31 OPS-1
[location = /new]
allow = @read
END
expect_text "$GATE" check --diff old.ini -c new.ini <<'END'
+ gate: workers = 3 (takes a restart)
+ site shop: host = b.example  new.ini:3
+ site shop: listen = 127.0.0.1:8081  new.ini:3
- site shop /api: allow DELETE  old.ini:10
+ site shop /api: allow PATCH  new.ini:13
- site shop /api: body_limit = 1m  old.ini:10
+ site shop /api: grant = DELETE until 2999-01-31 OPS-1  new.ini:17
+ site shop /api: override = deny  new.ini:13
+ site shop /api: rate = 5/s burst 9  new.ini:13
- site shop /gone: allow GET HEAD PUT  old.ini:13
- site shop /gone: location  old.ini:13
- site shop /gone: upstream = app  old.ini:13
+ site shop = /new: allow GET HEAD  new.ini:18
+ site shop = /new: location  new.ini:18
+ site shop = /new: upstream = app  new.ini:18
- upstream app: server = 127.0.0.1:1 weight=2  old.ini:7
+ upstream app: server = 127.0.0.1:1  new.ini:9
+ upstream app: server = 127.0.0.1:2 max=7 backup  new.ini:10
END
expect 'no changes' "$GATE" check --diff old.ini -c old.ini
# Of the JSON, those of one key, a line each.
changes() # key
{
	"$GATE" check -j --diff old.ini -c new.ini | python3 -c '
import json, sys
for told in json.load(sys.stdin):
    if told.pop("key") == sys.argv[1]:
        print(*told.values())' "$1"
}
expect '+ gate 3 None' changes workers
expect_text changes allow <<'END'
- location shop /api False DELETE old.ini:10
+ location shop /api False PATCH new.ini:13
- location shop /gone False GET old.ini:13
- location shop /gone False HEAD old.ini:13
- location shop /gone False PUT old.ini:13
+ location shop /new True GET new.ini:18
+ location shop /new True HEAD new.ini:18
END
expect_text changes location <<'END'
- location shop /gone False None old.ini:13
+ location shop /new True None new.ini:18
END
expect '[]' "$GATE" check -j --diff old.ini -c old.ini

# quiet: by the exit status alone
expect '' "$GATE" check -q --diff old.ini -c old.ini
expect 3 sh -c "'$GATE' check -q --diff old.ini -c new.ini; echo \$?"
expect_refusal 2 '--json needs --diff OLD' "$GATE" check -c new.ini --json

# A copy is the same site, whatever its file is called.
sed '/^name/d' old.ini >shop.ini
sed 's/1m/2m/' shop.ini >shop.ini.new
expect_text "$GATE" check --diff shop.ini -c shop.ini.new <<'END'
- site shop.ini.new /api: body_limit = 1m  shop.ini:9
+ site shop.ini.new /api: body_limit = 2m  shop.ini.new:9
END
expect_text "$GATE" check --diff shop.ini -c old.ini <<'END'
+ site shop: name = shop  old.ini:1
END

# Whatever key is changed, it is told, but for those that name what is read or
# matched: sites and path.
cat >every.ini <<'END'
[gate]
access_log = off
access_log_format = combined
access_log_select = refused
access_log_query = names
log_level = warn
workers = 3
max_connections = 77
max_connections_per_client = 7
head_limit = 31k
head_fields = 99
target_limit = 7k
head_timeout = 90s
idle_timeout = 2h
body_timeout = 31s
write_timeout = 31s
min_rate = 2k
drain_timeout = 0
tunnel_drain = 6s
resolve = 1d
ping = /-/ping
trusted_proxies = 10.0.0.0/8 ::1 unix
request_id_header = X-Id
[site]
name = all
listen = unix:/run/every mode=0600 proxy
listen = 127.0.0.1:443 tls
host = every.example
upstream = app
mode = report
head = explicit
methods = PURGE
path_case = exact
path_params = rest_route
forwarded = off
certificate = a.pem
key = a.key
tls_min = 1.3
client_ca = ca.pem
client_certificate = optional
client_certificate_header = X-Subject
redirect_https = 308
via = off
error_cache = max-age=60
error_format = json
flag_header = X-Flags
[upstream app]
server = app:1 weight=2 max=3 backup send-proxy
server = app:2 send-proxy-v2
connect_timeout = 50ms
response_timeout = 61s
body_timeout = 61s
response_head_limit = 63k
evhttp_body_limit = 2m
tunnel_timeout = 2h
idle_max = 63
idle_timeout = 5s
tls = on
tls_name = app.example
tls_ca = ca.pem
tls_verify = off
tls_certificate = b.pem
tls_key = b.key
balance = leastconn
retries = 2
health = /healthz
health_interval = 6s
health_rise = 3
health_fall = 4
[location /]
allow = PATCH POST
grant = DELETE until 2999-12-31
override = flag
form_hold = 63k
rewrite_method = PATCH -> POST
redirects = pass
body_on_get = deny
options = answer
body_limit = 3g
buffer_size = 4k
trailers = pass
upgrade = websocket
rate = 600/m
[upstream plain]
server = app:4
transport = evhttp
[location /plain]
allow = GET
upstream = plain
END
cat >least.ini <<'END'
[site]
listen = 127.0.0.1:80
upstream = other
[upstream other]
server = app:3
[location /]
allow = GET
END
"$GATE" check -n --diff least.ini -c every.ini >told ||
	fail 'a configuration with every key is refused'
awk 'NR == FNR && $2 == "=" { lacking[$1]++ }
    NR == FNR { next }
    /^\+/ { sub(/^[^:]*: /, ""); lacking[$1]-- }
    END { for (key in lacking) if (lacking[key] > 0) print key }' \
	every.ini told >lacking
[ ! -s lacking ] || fail "changes that are not told: $(cat lacking)"
sed -n 's/^KEY([A-Z]*, [A-Z_]*, *"\([a-z_]*\)".*/\1/p' \
	"$root/src/config_keys.def" >keys
[ "$(wc -l <keys)" -eq "$(grep -c '^KEY' "$root/src/config_keys.def")" ] ||
	fail 'keys that this test does not see'
sort -u -o keys keys
sed -n 's/ = .*//p' every.ini | sort -u | comm -13 - keys >lacking
[ "$(tr '\n' ' ' <lacking)" = 'path sites ' ] ||
	fail "keys without a test: $(cat lacking)"
while read -r line; do
	grep -qxF "$line" told || fail "not told: $line"
done <<'END'
+ gate: workers = 3 (takes a restart)
+ gate: head_timeout = 90s
+ gate: trusted_proxies = 10.0.0.0/8
+ site all: name = all  every.ini:24
+ site all: listen = unix:/run/every mode=0600 proxy  every.ini:24
+ site all: head = explicit  every.ini:24
+ site all: key = a.key  every.ini:37
+ site all /: rate = 600/m burst 600  every.ini:70
+ site all /: body_limit = 3g  every.ini:70
+ upstream app: connect_timeout = 50ms  every.ini:47
+ upstream app: health = /healthz  every.ini:47
+ upstream app: tls_name = app.example  every.ini:59
END
checks=$((checks + 1))
echo 'allow = BREW' >>old.ini
expect_refusal 1 '^old\.ini:15: .*BREW' "$GATE" check -d old.ini -c new.ini
expect_refusal 1 '^old\.ini:15: .*BREW' "$GATE" check -d new.ini -c old.ini
done_here
