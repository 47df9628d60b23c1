#!/bin/sh
# The program: the project in a virtual environment of root's. Nothing happens when it is there as it should be.
#   WHEELS   folders of wheels, with all that the project depends on; no network is used then
#   SOURCE   without them: where the project's files are on this machine; the rest comes from pip's index
#   PROGRAM  where it goes; default /opt/cloudify
set -eu
project=cloudify-manager-cluster
file_name=cloudify_manager_cluster
program=${PROGRAM:-/opt/cloudify}
stamp=$program/provisioned

say() { echo "program: $*" >&2; }

# One line that differs when anything differs that the program is made of.
recipe() {
    if [ -n "${WHEELS:-}" ]; then
        # shellcheck disable=SC2086  # Several folders are several words.
        find $WHEELS -name '*.whl' -exec basename {} \; | sort | cat - "$(own_wheel)" | sha256sum
    else
        (cd "${SOURCE:?name the folder of the project, or WHEELS}" &&
            find . -type f ! -path './build/*' ! -path './*.egg-info/*' | sort | xargs -d '\n' sha256sum | sha256sum)
    fi
}

# shellcheck disable=SC2086
own_wheel() { find $WHEELS -name "$file_name-*.whl" | head -n 1; }

pip() { "$program/bin/pip" --quiet --no-cache-dir --disable-pip-version-check "$@"; }

install_wheels() {
    links=""
    for folder in $WHEELS; do links="$links --find-links=$folder"; done
    # shellcheck disable=SC2086
    pip install --no-index $links "$project"
}

# In a copy: a build leaves folders where the sources are, and takes up what is in them.
install_source() {
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    cp -r "$SOURCE/." "$copy"
    pip install --constraint "$SOURCE/requirements.lock" "$copy"
}

wanted=$(recipe)
[ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || exit 0
[ ! -e "$stamp" ] || say "another one than so far; it takes effect with: cfy_manager restart"
rm -f "$stamp"
python3 -m venv "$program"
pip uninstall --yes "$project" 2>/dev/null
if [ -n "${WHEELS:-}" ]; then install_wheels; else install_source; fi
for name in cfy cfy_manager; do ln -sfn "$program/bin/$name" "/usr/local/bin/$name"; done
echo "$wanted" >"$stamp"
