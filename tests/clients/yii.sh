#!/bin/sh
# SPDX-License-Identifier: ISC
# PHP on php-cgi behind nginx behind the gate: method overrides as Yii2 and Slim
# read them, of any method on the request line.
. "$(dirname "$0")/../lib.sh"
. tests/apps/lib.sh

# shellcheck disable=SC2046
set -- $(free_ports 3)
port=$1
upstream=$2
serve_php yii.php "$3"
serve_notes_gate

judge_notes php <<'END'
# What is allowed, and what names no other method
pass GET /notes/1
pass HEAD /notes/1
pass POST /notes | form text=_method
pass GET /notes | X-HTTP-Method-Override: POST
pass PUT /open/1 | X-HTTP-Method-Override: DELETE
pass GET /open/1 | X-HTTP-Method-Override: DELETE
pass POST /open/1 | form _method=DELETE
# The request line
stop DELETE /notes/1
stop DELETE /notes%2F1
# A header field, whatever the method
stop GET /notes/1 | X-HTTP-Method-Override: DELETE
stop HEAD /notes/1 | X-HTTP-Method-Override: DELETE
stop POST /notes/1 | X-HTTP-Method-Override: DELETE
stop GET /notes/1 | x-http-METHOD-override: delete
stop GET /notes/1 | X-HTTP-Method-Override: BREW
stop GET /notes/1 | X-HTTP-Method-Override: GET, DELETE
stop DELETE /notes/1 | X-HTTP-Method-Override: PATCH
stop GET /notes/1 | X-HTTP-Method-Override: GET | X-HTTP-Method-Override: DELETE
# A form that was posted wins
stop POST /notes/1 | form _method=DELETE
stop POST /notes/1 | form .method=delete
stop POST /notes/1 | X-HTTP-Method-Override: GET | form _method=DELETE
stop POST /notes/1 | part name="_method" > DELETE
stop POST /notes/1 | part name=" _method" > DELETE
# What would not be run, but named a method for others or in vain
wary:the_request_line DELETE /notes/1 | X-HTTP-Method-Override: GET
wary:Laravel POST /notes/1?_method=DELETE
wary:Laravel POST /notes/1 | json {"_method": "DELETE"}
wary:Express POST /notes/1 | form _method[]=DELETE
wary:Rack POST /notes/1 | X-HTTP-Method-Override: DELETE | form _method=GET
wary:whoever_reads_forms_of_PUT PUT /open/1 | form _method=BREW
END
done_here
