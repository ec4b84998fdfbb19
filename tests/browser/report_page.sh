#!/bin/sh
# Opens reports in headless Chromium: they render, their script runs under their own policy without
# an error, its search can be linked to, and nothing of a hostile name is carried out.
# usage: report_page.sh PROGRAM [FOLDER]   (FOLDER keeps pages and pictures; default: a new one)
set -eu

program=$(CDPATH='' cd -- "$(dirname -- "$1")" && pwd)/$(basename -- "$1")
if [ $# -gt 1 ]; then
  mkdir -p "$2"
  folder=$(CDPATH='' cd -- "$2" && pwd)
else
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi
cd "$folder"

fail() {
  printf 'report_page: %s\n' "$*" >&2
  exit 1
}

# expect FILE PATTERN COUNT WHAT: so many lines hold the pattern.
expect() {
  found=$(grep -c -e "$2" "$1" || true)
  [ "$found" -eq "$3" ] || fail "$4: expected $3, found $found in $folder/$1"
}

# Chromium refuses its own sandbox to root and in containers; the pages are our own.
browse() {
  timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
    --hide-scrollbars --user-data-dir="$folder/profile" "$@"
}

# dump PAGE FRAGMENT NAME: what the script has made of the page, in NAME.html; what the browser
# complained about, in NAME.log.
dump() {
  browse --enable-logging=stderr --v=0 --dump-dom "file://$folder/$1$2" \
    >"$3.html" 2>"$3.log" || fail "Chromium has failed: $folder/$3.log"
  if grep CONSOLE "$3.log" >&2; then fail "$1$2: the browser complains"; fi
}

# ---- a run whose name attacks, with disks in every kind of trouble --------------------------------

rm -f audit.db audit.db-* audit.db.* run.html all.html
hostile="</title></h1><script>document.title='broken in'</script><img src=x onerror=console.error(1)>"
cat >scenario.json <<'JSON'
{
  "seed": 3,
  "latency": {"uniform": {"from_ms": 1, "to_ms": 20}},
  "unknown_disks": {"in_use": 0.1, "not_found": 0.05},
  "faults": [
    {"match": {"action": "ReleaseDisk", "every": 40}, "fault": {"kind": "throttle"}},
    {"match": {"action": "ReleaseDisk", "every": 25}, "fault": {"kind": "html_200", "executed": false}}
  ]
}
JSON
seq 9900000000000000001 9900000000000000300 >list.txt
"$program" run list.txt --name "$hostile" --sandbox-scenario scenario.json --rate 200 --in-flight 8 \
  --settle-window 300ms --settle-poll 100ms --yes --max-disks 300 --db audit.db -q >run.txt ||
  [ $? -eq 4 ] || fail 'the run has not ended as the scenario has it'
"$program" report 1 -o run.html --db audit.db -q
"$program" report --since 1d -o all.html --db audit.db -q

# ---- it renders, and nothing is carried out ------------------------------------------------------

disks=$("$program" audit show 1 --csv --db audit.db | cut -d, -f4 | grep -c -e rejected -e unknown)
in_use=$("$program" audit show 1 --csv --db audit.db | grep -c ',in_use,')
[ "$in_use" -gt 0 ] || fail 'no disk is in use'

dump run.html '' page
expect page.html '<title>Run 1: &lt;/title&gt;&lt;/h1&gt;&lt;script&gt;' 1 'the name as text in the title'
expect page.html 'broken in.</script' 0 'the name as a script'
expect page.html '<img' 0 'images'
expect page.html '<tr hidden=""' 0 'hidden rows without a search'
expect page.html "<span id=\"found\" role=\"status\">$disks rows</span>" 1 'rows told by the script'
expect page.html '<button type="button">Disk</button>' 1 'buttons to sort by'

# ---- search --------------------------------------------------------------------------------------

dump run.html '#q=In_Use' search
expect search.html '<tr hidden=""' $((disks - in_use)) 'rows hidden by a search'
expect search.html "<span id=\"found\" role=\"status\">$in_use of $disks rows</span>" 1 'rows found'
dump run.html '#q=%3Cb%3E%20nothing%20like%20it' nothing
expect nothing.html '<tr hidden=""' "$disks" 'rows hidden by a search for markup'
dump run.html '#q=%' broken
expect broken.html '<tr hidden=""' 0 'rows hidden by a fragment that cannot be read'
dump all.html "" period
expect period.html '<span id="found" role="status">1 row</span>' 1 'runs of a period'

# ---- without its script, the policy being what keeps it out --------------------------------------

sed "s/script-src &#39;sha256-[^;]*;/script-src 'none';/" run.html >plain.html
dump_plain=$(browse --dump-dom "file://$folder/plain.html" 2>/dev/null | grep -c 'id="tools" hidden=""')
[ "$dump_plain" -eq 1 ] || fail 'the policy does not decide about the script'

# ---- pictures for people -------------------------------------------------------------------------

browse --window-size=1280,1800 --screenshot="$folder/light.png" "file://$folder/run.html" 2>/dev/null
browse --window-size=1280,1800 --blink-settings=preferredColorScheme=0 \
  --screenshot="$folder/dark.png" "file://$folder/run.html" 2>/dev/null
for picture in light dark; do
  # An empty page makes a picture of about 10 KB.
  [ "$(wc -c <$picture.png)" -gt 50000 ] || fail "$picture.png shows nothing"
done
if cmp -s light.png dark.png; then fail 'light and dark look the same'; fi
printf 'report_page: %s rows, search, policy, light and dark are as they should be\n' "$disks"
