#!/bin/sh
# SPDX-License-Identifier: ISC
# Express with method-override behind the gate. Its packages come from the npm
# registry, as package-lock.json pins them, once for each build folder.
. "$(dirname "$0")/../lib.sh"
. tests/apps/lib.sh

install_npm express
cp tests/apps/express/app.js "$app"

# shellcheck disable=SC2046
set -- $(free_ports 2)
port=$1
upstream=$2
serve express node "$app/app.js" "127.0.0.1:$upstream"
await "$upstream" "$server"
serve_notes_gate

judge_notes express <<'END'
# What is allowed, and what names no other method
pass GET /notes/1
pass HEAD /notes/1
pass POST /notes | form text=_method
pass POST /notes | json {"text": "_method", "deep": {"_method": "DELETE"}}
pass POST /notes | part name="text" > _method=DELETE
pass POST /notes | X-HTTP-Method-Override: POST
pass POST /notes?_method=get
pass POST /notes?_method=
pass POST /notes?method=DELETE&x_method=DELETE&_methods=DELETE
pass POST /notes | X-Forwarded-Method: DELETE
pass DELETE /open/1
pass POST /open/1?_method=DELETE
pass POST /open/1 | X-HTTP-Method: PATCH
pass POST /open/1 | form _method=PUT
pass POST /open/1 | json {"_method": "DELETE"}
pass POST /open/1 | part name="_method" > DELETE
# The request line, in the readings of Express's router
stop DELETE /notes/1
stop DELETE /NOTES/1
stop DELETE /notes/
stop PUT /notes?x
stop PUT /nOtEs
# Header fields
stop POST /notes/1 | X-HTTP-Method-Override: DELETE
stop POST /notes/1 | x-http-method-override: delete
stop POST /notes/1 | X-HTTP-Method-Override:    dElEtE \x20
stop POST /notes/1 | X-HTTP-Method-Override: DELETE, GET
stop POST /notes/1 | X-HTTP-Method-Override: DELETE | X-HTTP-Method-Override: POST
stop POST /notes/1 | X-HTTP-Method: PUT
stop POST /notes/1 | X-Method-Override: PATCH
stop POST /notes/1 | X-HTTP-Method-Override: PURGE
stop POST /notes/1 | X-HTTP-Method: GET | X-Method-Override: DELETE
# The query
stop POST /notes/1?_method=DELETE
stop POST /notes/1?_method=delete
stop POST /notes/1?%5Fmethod=DELETE
stop POST /notes/1?_%6det%68od=%44ELETE
stop POST /notes/1?a=b&_method=DELETE&c
stop POST /notes/1?_method=DELETE&_method=GET
stop POST /notes/1?_method=PUT&_method=DELETE
stop POST /NOTES/1?_method=DELETE
stop POST /notes?_method=LOCK
# A form
stop POST /notes/1 | form _method=DELETE
stop POST /notes/1 | form %5Fmethod=delete
stop POST /notes/1 | form a=b&_method=PATCH&c=d
stop POST /notes/1 | form _method[]=DELETE
stop POST /notes/1 | form _method[0]=DELETE&_method[1]=GET
stop POST /notes/1 | form [_method]=DELETE
stop POST /notes/1 | form _method=DELETE&_method=POST
stop POST /notes/1 | gzip | form text=some&_method=DELETE
stop POST /notes/1 | Content-Type: application/x-www-form-urlencoded; charset=iso-8859-1 | body _method=DELETE
stop POST /notes/1 | Content-Type: APPLICATION/X-WWW-Form-Urlencoded | body _method=DELETE
stop POST /notes/1 | form \xef\xbb\xbf_method=DELETE
# JSON
stop POST /notes/1 | json {"_method": "DELETE"}
stop POST /notes/1 | json {"text": "}", "\u005fmethod": "del\u0065te"}
stop POST /notes/1 | json {"_method": ["DELETE"]}
stop POST /notes/1 | json {"_method": "GET", "_method": "DELETE"}
stop POST /notes/1 | json \xef\xbb\xbf{"_method":"DELETE"}
stop POST /notes/1 | gzip | json {"deep": [{"_method": 1}], "_method": "PUT"}
# Multipart
stop POST /notes/1 | part name="_method" > DELETE
stop POST /notes/1 | part name=_method > delete
stop POST /notes/1 | part name="_method[]" > DELETE
stop POST /notes/1 | part name="text" > some | part name="_method" > PUT
stop POST /notes/1 | part NAME="_method" > DELETE
# What Express leaves alone, and others do not
wary:WordPress GET /notes/1?_method=DELETE
wary:Yii2 GET /notes/1 | X-HTTP-Method-Override: DELETE
wary:the_last_of_two POST /notes/1?_method=GET&_method=DELETE
wary:PHP POST /notes/1?_method[]=DELETE
wary:PHP POST /notes/1?+_method=DELETE
wary:PHP POST /notes/1 | form .method=DELETE
wary:PHP POST /notes/1 | form _method%00x=DELETE
wary:Rack_2 POST /notes/1?a;_method=DELETE
wary:CGI POST /notes/1 | X_HTTP_METHOD_OVERRIDE: DELETE
wary:PHP POST /notes/1 | body _method=DELETE
wary:Slim POST /notes/1 | form _METHOD=DELETE
wary:Symfony POST /notes/1?_method=BREW
wary:Salesforce POST /notes/1?_HttpMethod=PATCH
wary:ODM POST /notes/1?x-method-override=PUT
wary:Payload POST /notes/1 | X-Payload-HTTP-Method-Override: DELETE
END
done_here
