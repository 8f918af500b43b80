#!/bin/sh
# SPDX-License-Identifier: ISC
# Report mode answers nothing by policy and changes nothing: 10,000 mixed
# requests get the responses that the upstream gives directly, and the access
# line of each tells what enforcing would have said.
. "$(dirname "$0")/../lib.sh"

# shellcheck disable=SC2046
set -- $(free_ports 3)
port=$1
enforcing=$2
upstream=$3
serve mirror python3 tests/apps/mirror.py "127.0.0.1:$upstream"
await "$upstream" "$server"
site() # port mode
{
	cat <<-END
	[site]
	listen = 127.0.0.1:$1
	mode = $2
	upstream = mirror
	[upstream mirror]
	server = 127.0.0.1:$upstream
	[location /pages]
	allow = @read
	[location /notes]
	allow = GET POST
	[location /api]
	allow = GET POST PUT DELETE
	[location /drop]
	allow = PUT
	END
}
serve_gate "$enforcing" <<END
$(site "$enforcing" enforce)
END
mv "$folder/gate.log" "$folder/enforcing.log"
serve_gate "$port" <<END
[gate]
access_log = $folder/access.log
$(site "$port" report)
END

python3 tests/apps/replay.py --direct "127.0.0.1:$upstream" \
    --report "127.0.0.1:$port" --enforce "127.0.0.1:$enforcing" ||
    fail 'the responses differ'
# A graceful stop writes all lines.
kill "$gate"
wait "$gate"
python3 tests/apps/replay.py --log "$folder/access.log" ||
    fail 'the access lines do not tell'
expect_line 'forwarded=10000 answered_405=0 answered_501=0 answered_other=0 ' \
    cat "$folder/gate.log"
checks=$((checks + 10000))
done_here
