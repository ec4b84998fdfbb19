# bash completion for diskrelease

_diskrelease() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command=${COMP_WORDS[1]-} words=''
  local common='--json --quiet --verbose --no-color --help'
  local calls='--endpoint --ca-file --profile --credentials-file --proxy --rate --burst --in-flight --look-batch
    --timeout --connect-timeout --max-attempts --sandbox --sandbox-scenario
    --accept-credential --no-verify --settle-window --settle-poll --anchor-file --anchor-key --anchor-syslog
    --accept-rollback --reason'
  local releases='--yes --max-disks --no-preflight --resend-unsettled'
  COMPREPLY=()

  case $previous in
    --format) words='csv json ndjson text' ;;
    --goal) words='release purge' ;;
    --state) words='pending released already_gone rejected failed skipped unknown' ;;
    --outcome) words='accepted already_gone rejected throttled not_sent unknown open' ;;
    --rate) words='unlimited' ;;
    --sort) words='intent finished latency disk run outcome code' ;;
    --db | --anchor-file | --anchor-key | --anchor-public-key | --key | --provider-log | --ca-file | --credentials-file | \
      --sandbox-scenario | --scenario | --ca-out | --ledger | --output | -o)
      compopt -o default
      return
      ;;
    --endpoint | --profile | --proxy | --burst | --in-flight | --timeout | --connect-timeout | \
      --settle-window | --settle-poll | --mark | --reason | --max-attempts | --max-disks | --max-list-size | --name | \
      --column | --run | --disk | --code | --request-id | --since | --until | --before | --limit | --window | --event | --port | \
      --job | --http-status | --text | --user | --host | --credential | --columns | --time-zone)
      return
      ;;
  esac

  if [[ -z $words ]]; then
    if ((COMP_CWORD == 1)); then
      words='run resume settle status audit report sandbox --help --version'
    elif [[ $command == audit ]] && ((COMP_CWORD == 2)); then
      words='show log explain sql verify export reconcile stats backup archive --help'
    elif [[ $current == -* ]]; then
      case $command in
        run)
          words="$common $calls $releases --db --name --format --column --max-list-size --goal --include-recycled"
          ;;
        resume) words="$common $calls $releases --db" ;;
        settle) words="$common $calls --db --mark" ;;
        status) words="$common --db --all" ;;
        audit)
          words="$common --db"
          case ${COMP_WORDS[2]} in
            show) words+=' --csv --ndjson --state' ;;
            log)
              words+=' --csv --ndjson --run --job --disk --outcome --code --http-status --request-id --text
                --user --host --credential --endpoint --since --until --sort --descending --limit --columns
                --time-zone'
              ;;
            explain) words+=' --csv --ndjson --time-zone' ;;
            sql) words+=' --csv --ndjson --limit --timeout' ;;
            verify) words+=' --anchor-file --anchor-public-key' ;;
            export) words+=' --output --key --anchor-file' ;;
            backup) words+=' --output --force --anchor-file' ;;
            archive) words+=' --before --output --dry-run --time-zone --anchor-file --anchor-key --anchor-syslog' ;;
            reconcile) words+=' --csv --provider-log --run --since --until --window --event --time-zone' ;;
          esac
          ;;
        report) words="$common --db --output --force --since" ;;
        sandbox) words="$common --port --scenario --ca-out --ledger" ;;
      esac
    elif [[ $command == run ]]; then
      compopt -o default
      return
    fi
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _diskrelease diskrelease
