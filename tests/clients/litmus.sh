#!/bin/sh
# SPDX-License-Identifier: ISC
# litmus, the WebDAV test suite, on Apache's mod_dav: what it passes directly it
# passes through the gate, suite by suite.
. "$(dirname "$0")/../lib.sh"

# shellcheck disable=SC2046
set -- $(free_ports 2)
port=$1
upstream=$2
modules=/usr/lib/apache2/modules
mkdir "$folder/direct" "$folder/gated"
cat >"$folder/apache.conf" <<END
ServerName localhost
ServerRoot $folder
PidFile $folder/apache.pid
Listen 127.0.0.1:$upstream
ErrorLog $folder/apache-error.log
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule mime_module $modules/mod_mime.so
LoadModule dav_module $modules/mod_dav.so
LoadModule dav_fs_module $modules/mod_dav_fs.so
TypesConfig /dev/null
DAVLockDB $folder/locks
DocumentRoot $folder
User www-data
Group www-data
<Directory $folder>
	Require all denied
</Directory>
<Directory ~ "^$folder/(direct|gated)">
	Require all granted
	Dav On
</Directory>
END
chmod a+rwx "$folder" "$folder/direct" "$folder/gated"
serve apache apache2 -X -f "$folder/apache.conf"
await "$upstream" "$server"
serve_gate "$port" <<END
[site]
listen = 127.0.0.1:$port
upstream = apache
[upstream apache]
server = 127.0.0.1:$upstream
[location /]
allow = @webdav
END

# What litmus says of each test, without the names of places.
run_litmus() # url folder
{
	(cd "$folder" && litmus -k "$1/$2/") >"$folder/litmus.log" 2>&1 || true
	sed "s,/$2/,/,g" "$folder/litmus.log"
}

run_litmus "http://127.0.0.1:$upstream" direct >"$folder/direct.txt"
run_litmus "http://127.0.0.1:$port" gated >"$folder/gated.txt"
diff "$folder/direct.txt" "$folder/gated.txt" >&2 ||
    fail 'it passes less, or other tests, than directly'
# All of it ran: each suite prints a summary.
awk -v name="$name" '/^<- summary/ {
	print name ": " substr($4, 2, length($4) - 3) " " $9 " of " $6 ", as directly"
	passed += $9
	suites++
}
END { print passed >"/dev/stderr"; exit suites != 5 || passed < 100 }' \
    "$folder/gated.txt" 2>"$folder/passed" || fail 'it did not run to its end'
checks=$((checks + $(cat "$folder/passed")))
done_here
