#!/bin/sh
# with.sh COMMAND... - run a command with a lab of its own up: NACTL_LAB names its inventory. The lab is gone afterwards.
set -eu
export LAB_NAME="${LAB_NAME:-test}"
here=$(cd "$(dirname "$0")" && pwd)
trap '"$here/lab" down' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
"$here/lab" up
"$here/lab" image debian-12
eval "$("$here/lab" env)"
export NACTL_LAB="$LAB_INVENTORY"
"$@"
