#!/bin/sh
# Shows bodies that flow in both directions at once, and a client that leaves. Usage: run.sh [PORT]
. "$(dirname "$0")/../serve.sh"

echo "# Each line is sent only after the one before it was answered:"
mkfifo "$tmp/upload"
curl -skN --http2 -T . "$url" <"$tmp/upload" 2>/dev/null | {
    exec 3>"$tmp/upload"
    for line in one two three; do
        echo "$line" >&3
        read -r answer
        echo "$line -> $answer"
    done
    exec 3>&-
    cat
}

echo
echo "# An answer without an end, of which the client takes three lines:"
curl -skN --http2 "$url" | head -n 3
until grep -q 'client has left' "$log"; do
    sleep 0.1
done
echo "The server's log: $(sed -n 's/.* print //p' "$log")"
