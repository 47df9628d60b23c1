#!/bin/sh
# The manager: it can be installed again, and what is there is kept.
#   NODE_ADDRESS             the machine's address among the others
#   CLOUDIFY_ADMIN_PASSWORD  of the first administrator
set -eu
: "${NODE_ADDRESS:?name the address of this machine}" "${CLOUDIFY_ADMIN_PASSWORD:?name a password}"
/usr/local/bin/cfy_manager install --host-ip "$NODE_ADDRESS"
