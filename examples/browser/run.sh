#!/bin/sh
# A page calls a service of another origin, in Chromium. Usage: run.sh [PORT]
scheme=http
first=page.lua
. "$(dirname "$0")/../serve.sh"

export PAGE="$url"
serve http://127.0.0.1:0 "$here/handler.lua"

# What stands between the tags of the text that the page has made.
chromium --headless --no-sandbox --disable-gpu --user-data-dir="$tmp/profile" \
    --virtual-time-budget=20000 --dump-dom "$PAGE/?at=$url" 2>/dev/null |
    awk '/<pre/ { on = 1 } /<\/pre>/ { on = 0 } on { sub(/.*<pre[^>]*>/, ""); print }'
