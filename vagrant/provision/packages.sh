#!/bin/sh
# The packages that a manager needs. What is there is kept, and no service of theirs is started.
#   SOURCE  where the project's files are on this machine
set -eu
: "${SOURCE:?name the folder of the project}"
sh "$SOURCE/scripts/install-packages.sh"
