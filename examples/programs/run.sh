#!/bin/sh
# Shows programs that a script runs, and that end with whoever wanted them. Usage: run.sh [PORT]
. "$(dirname "$0")/../serve.sh"

echo "# The words of a text, by how often they come:"
curl -sk --http2 -d "the moon and the earth, and the sun" "$url"

echo
echo "# A file that grows, and a client that has seen enough of it:"
echo "one" >"$tmp/grows"
mkfifo "$tmp/followed"
curl -skN --http2 -H "x-file: $tmp/grows" "$url" >"$tmp/followed" 2>/dev/null &
client=$!
{
    read -r line
    echo "$line"
    echo "two" >>"$tmp/grows"
    read -r line
    echo "$line"
} <"$tmp/followed"
{ kill "$client"; wait "$client"; } 2>/dev/null || :

# Whether a program still follows the file.
follows() {
    grep -lsz "$tmp/grows" /proc/[0-9]*/cmdline | while read -r file; do
        grep -qsz '^tail$' "$file" && echo "$file"
    done | grep -q .
}

while follows; do
    sleep 0.1
done
echo "The program is gone."
