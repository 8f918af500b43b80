#!/bin/sh
# SPDX-License-Identifier: ISC
# git over smart HTTP, by git-http-backend in Apache behind the gate: clone,
# push and fetch need no more than GET and POST.
. "$(dirname "$0")/../lib.sh"

# shellcheck disable=SC2046
set -- $(free_ports 2)
port=$1
upstream=$2
modules=/usr/lib/apache2/modules
HOME=$folder/home
export HOME
export GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
mkdir "$HOME" "$folder/served"
git config --global user.name Tester
git config --global user.email tester@example.org
git config --global init.defaultBranch main
# What is served is Apache's user's.
git config --global safe.directory '*'

# So many tags that what a clone asks for is compressed.
git init -q "$folder/work"
for i in $(seq 40); do
	git -C "$folder/work" commit -q --allow-empty -m "$i"
	git -C "$folder/work" tag "v$i"
done
git clone -q --bare "$folder/work" "$folder/served/open.git"
git -C "$folder/served/open.git" config http.receivepack true
cp -R "$folder/served/open.git" "$folder/served/closed.git"
chmod -R a+rX "$folder"
# Apache gives up root, and git reads only what is its user's own.
[ "$(id -u)" -ne 0 ] || chown -R www-data:www-data "$folder/served"

cat >"$folder/apache.conf" <<END
ServerName localhost
ServerRoot $folder
PidFile $folder/apache.pid
Listen 127.0.0.1:$upstream
ErrorLog $folder/apache-error.log
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule alias_module $modules/mod_alias.so
LoadModule env_module $modules/mod_env.so
LoadModule cgi_module $modules/mod_cgi.so
User www-data
Group www-data
SetEnv GIT_PROJECT_ROOT $folder/served
SetEnv GIT_HTTP_EXPORT_ALL
ScriptAlias /git/ $(git --exec-path)/git-http-backend/
END
serve apache apache2 -X -f "$folder/apache.conf"
await "$upstream" "$server"
serve_gate "$port" <<END
[gate]
access_log = $folder/access.log
[site]
listen = 127.0.0.1:$port
upstream = apache
[upstream apache]
server = 127.0.0.1:$upstream
[location /git]
allow = @form
[location /git/closed.git]
allow = @read
END
url=http://127.0.0.1:$port/git

same() # folder folder: both have this commit
{
	expect "$(git -C "$1" rev-parse main)" git -C "$2" rev-parse main
	git -C "$2" fsck --full >"$folder/fsck" 2>&1 || fail "damaged: $2"
	checks=$((checks + 1))
}

for version in 0 2; do
	git -c protocol.version="$version" clone -q "$url/open.git" \
	    "$folder/copy$version" || fail "clone by protocol $version"
	same "$folder/work" "$folder/copy$version"
	git -C "$folder/copy$version" tag >"$folder/tags"
	expect 40 grep -c . "$folder/tags"
done

# A push past http.postBuffer goes chunked, after a probe.
head -c 8000000 /dev/urandom >"$folder/copy2/random"
git -C "$folder/copy2" add random
git -C "$folder/copy2" commit -q -m random
git -C "$folder/copy2" push -q origin main || fail 'large push'
same "$folder/copy2" "$folder/served/open.git"
# and a small one with its length.
git -C "$folder/copy2" commit -q --allow-empty -m small
git -C "$folder/copy2" push -q origin main || fail 'small push'
same "$folder/copy2" "$folder/served/open.git"
git -C "$folder/copy0" pull -q || fail 'pull'
same "$folder/copy2" "$folder/copy0"
cmp "$folder/copy0/random" "$folder/copy2/random" || fail 'other bytes'

# Where POST is not allowed there is neither clone nor push.
! git clone -q "$url/closed.git" "$folder/none" 2>"$folder/refusal" ||
    fail 'cloned without POST'
expect_line 'HTTP 405|error: 405' cat "$folder/refusal"
methods()
{
	sed -n 's/.*"http.request.method":"\([^"]*\)".*/\1/p' \
	    "$folder/access.log" | sort -u | xargs
}
expect 'GET POST' methods
done_here
