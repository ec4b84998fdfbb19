#!/bin/sh
# Checks an evidence bundle of diskrelease without diskrelease. README.txt says what each step shows.
#
#   sh check.sh [PUBLIC_KEY.pem]
#
# Needs sha256sum and comm (coreutils), sqlite3 3.38 or later, and for signatures openssl 3. Give the
# public key that you have from elsewhere: the one in the bundle proves nothing. Ends with 0 if
# nothing was found.
set -eu
LC_ALL=C
export LC_ALL

given_key=${1-}
case $given_key in
  '' | /*) ;;
  *) given_key=$PWD/$given_key ;;
esac
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '%s\n' "$*"; }
fail() {
  printf 'NOT VERIFIED: %s\n' "$*" >&2
  exit 1
}
ask() { sqlite3 -readonly evidence.db "$1"; }

# Digests of all files of a folder, as sha256sum writes them, sorted.
digests_in() {
  (cd "$1" && find . -type f | sed 's|^\./||' | sort | tr '\n' '\0' | xargs -0 -r sha256sum -b) |
    sed 's| \*|  |' | sort
}

# ---- 1. the files are those of the manifest, and there are no others
sha256sum --check --strict --quiet manifest.sha256 || fail 'a file differs from the manifest'
sed 's/^[0-9a-f]* [ *]//' manifest.sha256 | sort >"$work/listed"
find . -type f ! -name manifest.sha256 ! -name manifest.sha256.sig | sed 's|^\./||' | sort >"$work/here"
cmp -s "$work/listed" "$work/here" || fail 'there are files that the manifest does not list'
say "files      $(wc -l <"$work/listed") as the manifest says"

# ---- 2. the signature
if [ -f manifest.sha256.sig ]; then
  key=${given_key:-public_key.pem}
  openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in manifest.sha256 \
    -sigfile manifest.sha256.sig >/dev/null 2>&1 || fail "the manifest is not signed by $key"
  if [ -n "$given_key" ]; then
    say "signature  by $given_key"
  else
    say 'signature  by the key in this bundle; give the one that you have from elsewhere'
  fi
elif [ -n "$given_key" ]; then
  fail 'the manifest is not signed'
else
  say 'signature  none'
fi

# ---- 3. each block of the chain hashes the one before it
mkdir "$work/blocks" "$work/rows"
ask "SELECT count(*) FROM (SELECT writefile('$work/blocks/' || printf('%012d', block_id),
       CAST('diskrelease chain 1' || char(10) AS BLOB) ||
       coalesce(lag(hash) OVER (ORDER BY block_id), (SELECT hash FROM before), CAST('' AS BLOB)) || entries)
     FROM chain)" >/dev/null
digests_in "$work/blocks" >"$work/computed"
ask "SELECT lower(hex(hash)) || '  ' || printf('%012d', block_id) FROM chain" | sort >"$work/stored"
cmp -s "$work/computed" "$work/stored" || fail 'the chain: a block does not hash what it says'
[ "$(ask 'SELECT max(block_id) - min(block_id) + 1 = count(*) FROM chain')" = 1 ] ||
  fail 'the chain: a block is missing'
say "chain      $(ask "SELECT count(*) || ' blocks, ' || min(block_id) || ' to ' || max(block_id) FROM chain")"

# ---- 4. each row has its entry in a block
# The canonical text of a row: its table, then each column as SQL writes it, with bars between.
canonical() {
  ask "SELECT '''$1''' || group_concat(' || ''|'' || quote(' || name || ')', '') FROM pragma_table_info('$1')"
}
kind=0
for table in run invocation invocation_end attempt outcome disk_read observation verdict decision; do
  kind=$((kind + 1))
  key=$(ask "SELECT name FROM pragma_table_info('$table') WHERE cid = 0")
  ask "SELECT count(writefile('$work/rows/0$kind-' || printf('%016X', $key), $(canonical $table))) FROM $table" >/dev/null
done
ask "SELECT count(writefile('$work/rows/0A-' || printf('%016X', first), text)) FROM (
       SELECT min(item_id) AS first, group_concat(text, char(10)) || char(10) AS text FROM (
         SELECT item_id, (item_id - (SELECT first_item_id FROM run)) / 1000 AS thousand,
                $(canonical item) AS text FROM item ORDER BY item_id)
       GROUP BY thousand)" >/dev/null
ask "SELECT count(writefile('$work/rows/0B-' || printf('%016X', run_id), text)) FROM (
       SELECT run_id, group_concat(text, char(10)) || char(10) AS text FROM (
         SELECT run_id, $(canonical duplicate_line) AS text FROM duplicate_line
         ORDER BY source_line, disk_id)
       GROUP BY run_id)" >/dev/null
digests_in "$work/rows" >"$work/computed"
ask "WITH RECURSIVE piece(entries, at) AS (
       SELECT entries, 1 FROM chain
       UNION ALL SELECT entries, at + 41 FROM piece WHERE at + 41 < length(entries))
     SELECT lower(hex(substr(entries, at + 9, 32))) || '  ' || hex(substr(entries, at, 1)) || '-' ||
            hex(substr(entries, at + 1, 8)) FROM piece" | sort >"$work/stored"
comm -23 "$work/computed" "$work/stored" >"$work/strange"
[ ! -s "$work/strange" ] || fail "rows that the chain has not, or not so: $(tr '\n' ' ' <"$work/strange")"
say "rows       $(wc -l <"$work/computed") entries fit; $(comm -13 "$work/computed" "$work/stored" | wc -l) further ones are of other runs that were worked on meanwhile"

# ---- 5. the list
[ "$(ask 'SELECT disk_id FROM item ORDER BY item_id' | sha256sum | cut -d' ' -f1)" = \
  "$(ask 'SELECT list_sha256 FROM run')" ] || fail 'the list does not have the digest of the run'
[ "$(ask 'SELECT item_count FROM run')" = "$(ask 'SELECT count(*) FROM item')" ] || fail 'the list is not whole'
ask 'SELECT disk_id FROM item ORDER BY item_id' | cmp -s - list.txt || fail 'list.txt is another list'
say "list       $(ask 'SELECT item_count FROM run') disks"

# ---- 6. the anchors
ask "SELECT block_id || ' ' || lower(hex(hash)) FROM chain" | sort >"$work/heads"
sed -n 's/^diskrelease-anchor [12] [0-9a-f]* \([0-9]* [0-9a-f]*\) .*/\1/p' anchors.txt | sort >"$work/anchors"
join "$work/heads" "$work/anchors" | while read -r block have anchored; do
  [ "$have" = "$anchored" ] || { say "$block"; }
done >"$work/strange"
[ ! -s "$work/strange" ] || fail "anchors do not fit the blocks: $(tr '\n' ' ' <"$work/strange")"
if [ -n "$given_key" ]; then
  while IFS= read -r line; do
    case $line in '' | '#'*) continue ;; esac
    printf '%s' "${line% *}" >"$work/line"
    printf '%s' "${line##* }" | openssl base64 -d -A >"$work/signature" 2>/dev/null || true
    case $line in 'diskrelease-anchor 2 '*) ;; *) fail "an anchor is not signed: $line" ;; esac
    openssl pkeyutl -verify -pubin -inkey "$given_key" -rawin -in "$work/line" \
      -sigfile "$work/signature" >/dev/null 2>&1 || fail "an anchor is not signed by $given_key: $line"
  done <anchors.txt
fi
last=$(ask "SELECT block_id || ' ' || lower(hex(hash)) FROM chain ORDER BY block_id DESC LIMIT 1")
fitting=$(comm -12 "$work/heads" "$work/anchors" | wc -l)
say "anchors    $fitting fit blocks of this run"
grep -qxF "$last" "$work/anchors" ||
  say "           none is of the last block: compare block and hash with what was kept elsewhere: $last"
say 'VERIFIED'
