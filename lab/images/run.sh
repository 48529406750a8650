#!/bin/bash
# run.sh NAME OUT WORK: one build of image NAME; called by lib/image.sh in a mount namespace of its own.
# A script of its own because `set -e` does not hold inside a shell function whose status is asked for.
set -euo pipefail
LAB_HOME=$(dirname "$(dirname "$(readlink -f "$0")")")
for part in common debs image; do
	# shellcheck source=/dev/null
	. "$LAB_HOME/lib/$part.sh"
done
# shellcheck source=/dev/null
. "$BUILDERS/disk.sh"
# shellcheck source=/dev/null
. "$BUILDERS/$1.sh"
export TMPDIR=$3
image_make "$2" "$3"
