#!/bin/sh
# Prints the C file that holds the Lua modules given, each named by its path below lua/:
# lua/moontrail/grpc/status.lua is moontrail.grpc.status, and moontrail/grpc/status.lua in tracebacks.
set -eu
echo '#include "lua/modules/bundle.h"'
echo 'const struct bundled bundled[] = {'
for file; do
    path=${file#lua/}
    name=$(echo "${path%.lua}" | tr / .)
    echo "{\"$name\", \"=$path\","
    sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$/\\n"/' "$file"
    echo '},'
done
echo '{0}};'
