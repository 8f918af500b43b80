#!/bin/sh
# SPDX-License-Identifier: ISC
# PHP on php-cgi behind nginx behind the gate: method overrides as FlightPHP and
# other readers of $_REQUEST find them, without a php.ini.
. "$(dirname "$0")/../lib.sh"
. tests/apps/lib.sh

# shellcheck disable=SC2046
set -- $(free_ports 3)
port=$1
upstream=$2
serve_php flight.php "$3" -n
serve_notes_gate

judge_notes php <<'END'
# What is allowed, and what names no other method
pass GET /notes/1
pass HEAD /notes/1
pass GET /notes/1 | Cookie: text=_method; x_method=DELETE
pass GET /notes/1?_method=post
pass GET /open/1?_method=DELETE
pass POST /open/1 | form _method=DELETE
pass GET /open/1 | X-HTTP-Method-Override: PUT
# The request line
stop DELETE /notes/1
stop DELETE /Notes/1
stop DELETE /%6eotes/1
# Header field, query and form
stop GET /notes/1 | X-HTTP-Method-Override: DELETE
stop GET /notes/1?_method=DELETE
stop HEAD /notes/1?.method=delete
stop POST /notes/1?%20_method=DELETE
stop POST /notes/1 | form _method=DELETE
stop POST /notes/1?_method=GET | form .method=DELETE
stop POST /notes/1 | part name="_method" > DELETE
# A cookie
stop GET /notes/1 | Cookie: _method=DELETE
stop POST /notes/1 | Cookie: a=b; _method=DELETE; c=d
stop POST /notes/1 | Cookie: a=b;_method=%44elete
stop GET /notes/1 | Cookie: .method=DELETE
stop GET /notes/1?_method=GET | Cookie: _method=DELETE
# What would not be run, but names a method for others
wary:Laravel POST /notes/1 | json {"_method": "DELETE"}
wary:Express POST /notes/1 | form _method[]=DELETE
wary:OData POST /notes/1 | X-HTTP-Method: DELETE
END
done_here
