#!/bin/sh
# Prints the folder with the server programs of the newest installed PostgreSQL that is new enough.
# The packages' own folder is searched, and not the PATH: servers are not on it, and strays may be.
minimum=15
newest=0
for folder in "${POSTGRES_ROOT:-/usr/lib/postgresql}"/*/bin; do
    version=$(basename "$(dirname "$folder")")
    case $version in *[!0-9]*) continue ;; esac
    [ -x "$folder/postgres" ] && [ -x "$folder/pg_rewind" ] || continue
    [ "$version" -ge "$minimum" ] && [ "$version" -gt "$newest" ] && newest=$version
done
[ "$newest" -gt 0 ] && echo "${POSTGRES_ROOT:-/usr/lib/postgresql}/$newest/bin"
