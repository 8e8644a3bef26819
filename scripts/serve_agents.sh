#!/usr/bin/env bash
# To be sourced after serve_tour.sh by the suites of agents. serve_agents makes two customers and their agent keys: key and
# poor-key (a cap of one cent) of one, other-key of the other, in $SCRATCH. client runs a client of tests/agents.

serve_agents() {
  target="${CARGO_TARGET_DIR:-target}"
  cli="$target/debug/echo_cli"
  printf '%s\n' "$ECHO_SIGN_IN" | person login --link - >/dev/null
  root="$(grep -o -m 1 'sha256:[0-9a-f]*' "$SCRATCH/home/Sovereign_Trust_Root.md")"
  umask 077
  local marta ben
  marta="$(customer "Marta's shop")"
  ben="$(customer "Ben's garage")"
  key "$marta" 20.00 >"$SCRATCH/key"
  key "$marta" 0.01 >"$SCRATCH/poor-key"
  key "$ben" 20.00 >"$SCRATCH/other-key"
}

person() { "$cli" --home "$SCRATCH/person" "$@"; }

customer() { person --json customer add --name "$1" --plan pay-as-you-go | grep -o 'cus_[0-9a-f]*'; }

key() {
  person agent-key make --customer "$1" --name "Agent with $2" --days 1 --cap "$2" \
    --skills triage.classify,advisory.answer,diagnostics.probe,model.chat,model.embed
}

client() {
  local name="$1"
  shift
  "$target/agents-venv/bin/python" -B "tests/agents/$name" --url "$ECHO_URL" --key-file "$SCRATCH/key" --cli "$cli" \
    --person "$SCRATCH/person" --root "$root" --scratch "$SCRATCH" "$@"
}
