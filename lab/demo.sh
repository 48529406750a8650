#!/bin/sh
# demo.sh - the tour, on a lab of its own: played, played again, planned. The second run has to change nothing, and the
# plan after it has to be empty. KEEP=1 leaves the lab up.
set -eu
cd "$(dirname "$0")/.."
export LAB_NAME="${LAB_NAME:-demo}"
[ -n "${KEEP:-}" ] || trap 'lab/lab down' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

lab/lab up
eval "$(lab/lab env)"
log=$(mktemp)
again() { # again COMMAND...: show what a command prints, and keep it
	"$@" >"$log" && rc=0 || rc=$?
	cat "$log"
	return $rc
}

echo; echo "==> nactl play playbooks/tour.yml"
bin/nactl play -i "$LAB_INVENTORY" playbooks/tour.yml
echo; echo "==> again: nothing to change"
again bin/nactl play -i "$LAB_INVENTORY" playbooks/tour.yml
grep -q 'changed=0 ' "$log" || { echo "demo: the second run changed something" >&2; exit 1; }
echo; echo "==> nactl plan playbooks/tour.yml"
again bin/nactl plan -i "$LAB_INVENTORY" playbooks/tour.yml
grep -qx 'nothing to do' "$log" || { echo "demo: the plan wants changes" >&2; exit 1; }
rm -f "$log"
