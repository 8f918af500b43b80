#!/bin/sh
# SPDX-License-Identifier: ISC
# Signals in no order under load, with two and three workers and AddressSanitizer:
# reloads with good and bad configurations, the log reopened, and at last a stop,
# also while a reload is under way. No request fails before the stop, and each
# time the gate ends as it should. ROUNDS=60 SEED=7 for more, or for others.
. "$(dirname "$0")/../lib.sh"

# shellcheck disable=SC2046
set -- $(free_ports 3)
for upstream in "$2" "$3"; do
	serve "demo.$upstream" "$GATE" demo --listen "127.0.0.1:$upstream"
	await "$upstream" "$server"
done
python3 tests/apps/signals.py "${SIGNALLED:-${BUILD:-build}/asan/methodgate}" \
    "$folder" "$@" "${ROUNDS:=8}" "${SEED:=7}" || fail 'see above'
checks=$ROUNDS
done_here
