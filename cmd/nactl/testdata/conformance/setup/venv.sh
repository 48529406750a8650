#!/bin/sh
# venv.sh - print the folder of the programs of independent clients of engines: oVirt's Python SDK, and Ansible with the
# collection ovirt.ovirt. What is not there yet is installed into nactl's cache, a folder for each set of versions.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=/usr/bin/python3 # Debian's: what else is called python3 here may lack what the packages are built with
bundle=ansible==11.13.0 # holds the collection ovirt.ovirt 3.2.1; the others of it are not needed
wheel=wheel==0.45.1     # to build the SDK, which is published as source alone

cache=${XDG_CACHE_HOME:-$HOME/.cache}/nactl/conformance
venv=$cache/$({ "$python" -V && cat "$here/requirements.txt" "$0"; } | sha256sum | cut -c 1-16)

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9 # two at a time would spoil the folder
if [ ! -e "$venv/complete" ]; then
	echo "venv.sh: installing clients of engines into $venv" >&2
	rm -rf "$venv"
	"$python" -m venv "$venv"
	pip() { "$venv/bin/python" -m pip --quiet --disable-pip-version-check "$@" >&2; }
	pip install "$wheel"
	pip install --no-build-isolation --use-pep517 --requirement "$here/requirements.txt"
	pip download --no-deps --dest "$venv/bundle" "$bundle"
	"$venv/bin/python" - "$venv"/bundle/*.whl <<-'END'
		import sys, sysconfig, zipfile

		bundle = zipfile.ZipFile(sys.argv[1])
		bundle.extractall(
		    sysconfig.get_path("purelib"),
		    [name for name in bundle.namelist() if name.startswith("ansible_collections/ovirt/")],
		)
	END
	rm -rf "$venv/bundle"
	touch "$venv/complete"
fi
echo "$venv/bin"
