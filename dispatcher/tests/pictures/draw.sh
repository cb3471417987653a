#!/usr/bin/env bash
# Draws the pictures of docs/outputs out of the layouts in ../golden/layouts: mails as a browser shows them, messages of
# chat programs as chat.html draws them. Needs chromium. The picture of Teams: teams.html.
set -euo pipefail
cd "$(dirname "$0")"
layouts=$PWD/../golden/layouts
out=$PWD/../../../docs/outputs

# draw PICTURE WIDTH HEIGHT PAGE OPTION…
draw() {
    local picture=$1 size=$2,$3 page=$4
    shift 4
    chromium --headless --no-sandbox --hide-scrollbars --window-size="$size" --screenshot="$out/$picture" "$@" "file://$page" 2>/dev/null
}

draw email.png 760 1000 "$layouts/email-alert.html"
# 0 is dark
draw email-narrow.png 400 760 "$layouts/email-merged.html" --blink-settings=preferredColorScheme=0

# chat SERVICE HEIGHT
chat() {
    draw "$1.png" 672 "$2" "$PWD/chat.html#$1" --allow-file-access-from-files --virtual-time-budget=3000
}

chat slack 670
chat discord 790
chat google-chat 700
chat mattermost 420
chat telegram 800
