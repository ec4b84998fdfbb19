#!/bin/sh
# Checks an evidence bundle of diskrelease without diskrelease. README.txt says what each step shows.
#
#   sh check.sh [PUBLIC_KEY.pem [BUNDLE]]
#
# BUNDLE is the folder with the bundle; without it the one that this script lies in. Give the public
# key that you have from elsewhere: the one in the bundle proves nothing, and neither does a script
# that came along with what it checks, unless you have read it.
#
# Needs coreutils and findutils, sqlite3 3.38 or later, and for signatures openssl 3. Ends with 0 if
# nothing was found, and with 2 if it could not look.
set -eu
LC_ALL=C
export LC_ALL

# What the tables and views of evidence.db must be: SHA-256 of their definitions.
schema=@SCHEMA@

# The kinds of rows that have an entry each: the number that begins it, table, key, columns in the order in which they are
# hashed.
rows_of_one_entry() {
  cat <<'TEXT'
@ROWS@
TEXT
}
# The same of kinds that have an entry for many rows.
rows_in_bulk() {
  cat <<'TEXT'
@BULK@
TEXT
}

say() { printf '%s\n' "$*"; }
fail() {
  printf 'NOT VERIFIED: %s\n' "$*" >&2
  exit 1
}
cannot() {
  printf 'not checked: %s\n' "$*" >&2
  exit 2
}

# "./PATH" for a relative one, so that none is taken for a flag.
absolute() {
  case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s/%s\n' "$PWD" "$1" ;;
  esac
}
given_key=
if [ -n "${1-}" ]; then
  given_key=$(absolute "$1")
  [ -r "$given_key" ] || cannot "$given_key cannot be read"
fi
bundle=$(absolute "${2-$(dirname "$0")}")
for program in sha256sum sqlite3 find comm join openssl; do
  [ -n "$(command -v "$program")" ] || cannot "$program is not installed"
done
if [ -n "$given_key" ]; then
  openssl pkey -pubin -in "$given_key" -noout 2>/dev/null || cannot "$given_key is no public key in PEM form"
fi
cd "$bundle" || cannot "there is no folder $bundle"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case $work in *"'"*) cannot "the folder for temporary files has an apostrophe in its name: $work" ;; esac

# Neither the settings of whoever checks nor, with -safe, anything in the database can make sqlite3
# do more than to answer. (https://www.sqlite.org/cli.html)
ask_safely() { sqlite3 -batch -init /dev/null -noheader -list -safe -readonly evidence.db "$1"; }
# Only with writefile(), once the definitions of all tables are known to be the right ones.
ask() { sqlite3 -batch -init /dev/null -noheader -list -readonly evidence.db "$1"; }

# Digests of all files of a folder, as sha256sum writes them; the files are gone then.
digests_in() {
  (cd "$1" && find . -type f | sed 's|^\./||' | tr '\n' '\0' | xargs -0 -r sha256sum -b) | sed 's| \*|  |'
  find "$1" -type f -delete
}

# ---- 1. the files are those of the manifest, and there is nothing else
[ -z "$(find . ! -type f ! -type d)" ] || fail 'there are links, or what is neither file nor folder'
sha256sum --check --strict --quiet manifest.sha256 || fail 'a file differs from the manifest'
sed 's/^[0-9a-f]* [ *]//' manifest.sha256 | sort >"$work/listed"
find . -type f ! -path ./manifest.sha256 ! -path ./manifest.sha256.sig | sed 's|^\./||' | sort >"$work/here"
cmp -s "$work/listed" "$work/here" || fail 'there are files that the manifest does not list'
! grep -vxE '(README\.txt|check\.sh|evidence\.db|list\.txt|anchors\.txt|public_key\.pem|(@READABLE_NAMES@)\.(csv|ndjson))' \
  "$work/listed" >"$work/strange" || fail "there are files that belong to no bundle: $(tr '\n' ' ' <"$work/strange")"
for file in evidence.db list.txt anchors.txt; do
  [ -f "$file" ] || fail "$file is missing"
done
say "files      $(wc -l <"$work/listed") as the manifest says"

# ---- 2. the signature
is_signed() { # FILE SIGNATURE KEY
  openssl pkeyutl -verify -pubin -inkey "$3" -rawin -in "$1" -sigfile "$2" >/dev/null 2>&1
}
if [ -f manifest.sha256.sig ]; then
  is_signed manifest.sha256 manifest.sha256.sig "${given_key:-public_key.pem}" ||
    fail "the manifest is not signed by ${given_key:-the key in the bundle}"
  if [ -n "$given_key" ]; then
    say "signature  by $given_key"
  else
    say 'signature  by the key in this bundle; give the one that you have from elsewhere'
  fi
elif [ -n "$given_key" ]; then
  fail 'the manifest is not signed'
else
  say 'signature  none: whoever has made these files could have made others'
fi

# ---- 3. the database has the tables and views that it has to have, and is sound
[ "$(ask_safely "SELECT type, name, tbl_name, hex(coalesce(sql, '')) FROM sqlite_schema ORDER BY type, name" |
  sha256sum | cut -d' ' -f1)" = "$schema" ] || fail 'tables or views of evidence.db are not what they should be'
[ "$(ask_safely 'PRAGMA integrity_check')" = ok ] || fail 'evidence.db is damaged'
[ "$(ask_safely 'SELECT (SELECT count(*) FROM archive) + (SELECT count(*) FROM archived_rows) +
  (SELECT count(*) FROM archived_release)')" = 0 ] || fail 'evidence.db has records of archives, which nothing here can check'
[ "$(ask_safely 'SELECT count(*) FROM run')" = 1 ] || fail 'evidence.db has not one run'
[ -z "$(ask_safely 'PRAGMA foreign_key_check')" ] || fail 'rows of evidence.db refer to others that are not there: they are of another run'
rows_of_one_entry >"$work/rows"
rows_in_bulk >"$work/bulk"
for table in $(cut -d' ' -f2 "$work/rows" "$work/bulk") disk_item; do
  columns=$(ask_safely "SELECT group_concat('instr(CAST(' || name || ' AS BLOB), x''00'')', ' OR ')
    FROM pragma_table_info('$table') WHERE type = 'TEXT'")
  [ -z "$columns" ] || [ "$(ask_safely "SELECT count(*) FROM $table WHERE $columns")" = 0 ] ||
    fail "a text in $table has a NUL byte"
done

# ---- 4. each block of the chain hashes the one before it
mkdir "$work/files"
ask "SELECT count(writefile('$work/files/' || printf('%012d', block_id),
       CAST('diskrelease chain 1' || char(10) AS BLOB) || previous || entries)) FROM (
     SELECT block_id, entries,
       coalesce(lag(hash) OVER (ORDER BY block_id), (SELECT hash FROM before), CAST('' AS BLOB)) AS previous
     FROM chain)" >/dev/null
digests_in "$work/files" | sort >"$work/computed"
ask_safely "SELECT lower(hex(hash)) || '  ' || printf('%012d', block_id) FROM chain" | sort >"$work/stored"
cmp -s "$work/computed" "$work/stored" || fail 'the chain: a block does not hash what it says'
[ "$(ask_safely 'SELECT max(block_id) - min(block_id) + 1 = count(*) FROM chain')" = 1 ] ||
  fail 'the chain: a block is missing'
say "chain      $(ask_safely "SELECT count(*) || ' blocks, ' || min(block_id) || ' to ' || max(block_id) FROM chain")"

# ---- 5. each row has its entry in a block
# The canonical text of a row: its table, then each column as SQL writes it, with bars between.
canonical() { # TABLE COLUMN...
  text="'$1'"
  shift
  for column; do text="$text || '|' || quote($column)"; done
  printf '%s' "$text"
}
: >"$work/computed"
while read -r number table key columns; do
  # shellcheck disable=SC2086  # a word a column
  text=$(canonical "$table" $columns)
  # Some thousands at a time, so that the files of a large run need not all be there at once. By the
  # rows that are there: keys may stand as far apart as numbers go.
  first=$(ask_safely "SELECT min($key) FROM $table")
  while [ -n "$first" ]; do
    last=$(ask_safely "SELECT max($key) FROM (SELECT $key FROM $table WHERE $key >= $first ORDER BY $key LIMIT 20000)")
    ask "SELECT count(writefile('$work/files/$number-' || printf('%016X', $key), $text)) FROM $table
      WHERE $key BETWEEN $first AND $last" >/dev/null
    digests_in "$work/files" >>"$work/computed"
    first=$(ask_safely "SELECT min($key) FROM $table WHERE $key > $last")
  done
done <"$work/rows"
# shellcheck disable=SC2046  # a word a column
canonical_of() { canonical "$1" $(sed -n "s/^.. $1 [a-z_]* //p" "$work/bulk"); }
ask "SELECT count(writefile('$work/files/0A-' || printf('%016X', first), text)) FROM (
       SELECT min(item_id) AS first, group_concat(text, char(10)) || char(10) AS text FROM (
         SELECT item_id, (item_id - (SELECT first_item_id FROM run)) / 1000 AS thousand,
                $(canonical_of item) AS text FROM item ORDER BY item_id)
       GROUP BY thousand)" >/dev/null
ask "SELECT count(writefile('$work/files/0B-' || printf('%016X', run_id), text)) FROM (
       SELECT run_id, group_concat(text, char(10)) || char(10) AS text FROM (
         SELECT run_id, $(canonical_of duplicate_line) AS text FROM duplicate_line
         ORDER BY source_line, disk_id)
       GROUP BY run_id)" >/dev/null
digests_in "$work/files" >>"$work/computed"
sort -o "$work/computed" "$work/computed"
ask_safely "WITH RECURSIVE place(at) AS (
       SELECT 1 UNION ALL SELECT at + 41 FROM place
       WHERE at + 41 < (SELECT max(length(entries)) FROM chain))
     SELECT lower(hex(substr(entries, at + 9, 32))) || '  ' || hex(substr(entries, at, 1)) || '-' ||
            hex(substr(entries, at + 1, 8)) FROM chain JOIN place ON at < length(entries)" |
  sort >"$work/stored"
comm -23 "$work/computed" "$work/stored" >"$work/strange"
[ ! -s "$work/strange" ] || fail "rows that the chain has not, or not so: $(tr '\n' ' ' <"$work/strange")"
# Of the other entries none may be about what is here, of whatever kind: a row has one entry.
comm -13 "$work/computed" "$work/stored" >"$work/others"
{
  sed 's/.*  //' "$work/computed"
  # What belongs to a row here, and would have its entry even where it was left out.
  ask_safely "@LEFT_OUT@"
} | sort -u >"$work/ours"
sed 's/.*  //' "$work/others" | sort -u >"$work/strangers"
comm -12 "$work/strangers" "$work/ours" >"$work/strange"
[ ! -s "$work/strange" ] || fail "rows of this run were left out, or have another entry: $(tr '\n' ' ' <"$work/strange")"
if grep -vE '^(@NUMBERS@)-' "$work/strangers" >"$work/strange"; then
  fail "the chain: there are entries of an unknown kind: $(tr '\n' ' ' <"$work/strange")"
fi
[ "$(ask_safely "SELECT (SELECT count(*) FROM (SELECT disk_id, item_id FROM item EXCEPT SELECT disk_id, item_id FROM disk_item)) = 0
  AND (SELECT count(*) FROM item) = (SELECT count(*) FROM disk_item)")" = 1 ] || fail 'disk_item is not what item says'
others=$(wc -l <"$work/others")
if [ "$others" = 0 ]; then
  say "rows       $(wc -l <"$work/computed") entries fit, and there are no others: nothing was left out"
else
  say "rows       $(wc -l <"$work/computed") entries fit; $others others are of other runs, or were left out"
fi

# ---- 6. the list
[ "$(ask_safely 'SELECT disk_id FROM item ORDER BY item_id' | sha256sum | cut -d' ' -f1)" = \
  "$(ask_safely 'SELECT list_sha256 FROM run')" ] || fail 'the list does not have the digest of the run'
[ "$(ask_safely 'SELECT item_count FROM run')" = "$(ask_safely 'SELECT count(*) FROM item')" ] ||
  fail 'the list is not whole'
[ "$(ask_safely 'SELECT duplicate_count FROM run')" = "$(ask_safely 'SELECT count(*) FROM duplicate_line')" ] ||
  fail 'the duplicate lines are not whole'
ask_safely 'SELECT disk_id FROM item ORDER BY item_id' | cmp -s - list.txt || fail 'list.txt is another list'
say "list       $(ask_safely 'SELECT item_count FROM run') disks"

# ---- 7. what is there to be read says what the database says
readable() { # NAME QUERY
  ask_safely "$2" | cmp -s - "$1.ndjson" || fail "$1.ndjson is not what evidence.db says"
}
@READABLE@
say 'readable   the .ndjson files say what the database says; the .csv files are not compared'

# ---- 8. the anchors
ask_safely "SELECT block_id || ' ' || lower(hex(hash)) FROM chain" | sort >"$work/heads"
: >"$work/trusted"
: >"$work/unsigned"
while IFS= read -r line; do
  case $line in '' | '#'*) continue ;; esac
  head=$(printf '%s\n' "$line" | sed -n 's/^diskrelease-anchor [12] [0-9a-f]* \([0-9]* [0-9a-f]*\) .*/\1/p')
  have=$(sed -n "s/^${head%% *} //p" "$work/heads")
  [ -n "$head" ] || fail "anchors.txt: no anchor: $line"
  [ -z "$have" ] || [ "$have" = "${head#* }" ] || fail "an anchor does not fit its block: $line"
  signed=no
  case $line in
    'diskrelease-anchor 2 '*)
      printf '%s' "${line% *}" >"$work/line"
      printf '%s' "${line##* }" | openssl base64 -d -A >"$work/signature" 2>/dev/null || true
      [ -z "$given_key" ] || ! is_signed "$work/line" "$work/signature" "$given_key" || signed=yes
      ;;
  esac
  if [ "$signed" = no ]; then
    printf '%s\n' "$head" >>"$work/unsigned"
  elif [ -n "$have" ]; then
    printf '%s\n' "$head" >>"$work/trusted"
  fi
done <anchors.txt
last=$(ask_safely "SELECT block_id || ' ' || lower(hex(hash)) FROM chain ORDER BY block_id DESC LIMIT 1")
if [ -n "$given_key" ]; then
  say "anchors    $(wc -l <"$work/trusted") of these blocks are signed by the given key; $(wc -l <"$work/unsigned") others are only as good as where they come from"
else
  say "anchors    $(wc -l <"$work/unsigned"), whose signatures are not looked at without a key: they are only as good as where they come from"
fi
if ! grep -qxF "$last" "$work/trusted"; then
  say '           hold the last block and its hash against what was kept elsewhere:'
  say "           $last"
fi
say 'VERIFIED'
