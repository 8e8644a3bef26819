#!/usr/bin/env bash
# Checks a bill with tools that Echo did not write: bash, jq, openssl (3.0 or newer), coreutils. No network.
#
#   check_bill.sh CASE_FILE sha256:FINGERPRINT
#
# CASE_FILE is what `echo_cli case export` writes. FINGERPRINT is the one of the operator's trust root, got by another
# way than the file: on paper, by voice, from a page of his.
#
# From the fingerprint upwards: the trust registry (each version signed by its own root and by the one before); each
# invoice, receipt, proof and settlement signed by who may sign it; its entry under a signed head of its ledger
# (RFC 6962); the receipts that each line of the invoice names, the sum of the lines, the payment. Prints what held;
# exits with 1 and a reason at the first thing that does not.
set -euo pipefail

# What a hash or a signature is over are bytes, in every language.
export LC_ALL=C
# The bound that Echo sets on a case file, in bytes.
MAX_BYTES=$((24 * 1024 * 1024))

refuse() {
  echo "check_bill: $*" >&2
  exit 1
}

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

bytes_of_hex() { printf '%b' "$(sed 's/../\\x&/g' <<<"$1")"; }
hex_of_bytes() { od -An -v -tx1 | tr -d ' \n'; }
sha256_hex() { sha256sum | cut -d' ' -f1; }
# An Ed25519 public key as openssl wants it (RFC 8410, section 4).
key_file() {
  bytes_of_hex "302a300506032b6570032100$1" >"$work/key.der"
}
# Whether the key (hexadecimal) signed what lies in $work/message, with the signature in $work/signature.
verifies() {
  key_file "$1"
  openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key.der" -rawin -in "$work/message" \
    -sigfile "$work/signature" >/dev/null 2>&1
}

# signed ENVELOPE TYPE THRESHOLD KEY...: whether that many different keys signed it (DSSE 1.0). Its payload is then
# in $work/payload.
signed() {
  local envelope="$1" type="$2" threshold="$3" count=0 key sig
  shift 3
  [ "$(jq -r .payloadType <<<"$envelope")" = "$type" ] || return 1
  jq -rj .payload <<<"$envelope" | base64 -d >"$work/payload" || return 1
  {
    printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(stat -c %s "$work/payload")"
    cat "$work/payload"
  } >"$work/message"
  for key in $(printf '%s\n' "$@" | sort -u); do
    while read -r sig; do
      base64 -d <<<"$sig" >"$work/signature" || continue
      if verifies "$key"; then
        count=$((count + 1))
        break
      fi
    done < <(jq -r '.signatures[].sig' <<<"$envelope")
  done
  [ "$count" -ge "$threshold" ]
}

# The newest trust registry, once every version stands on the one before: $work/registry.
check_trust() {
  local root="$1" number=0 type=application/vnd.echo.trust-registry.v1+json envelope found
  while read -r envelope; do
    number=$((number + 1))
    jq -rj .payload <<<"$envelope" | base64 -d >"$work/version"
    if [ "$number" -eq 1 ]; then
      found="sha256:$(sha256_hex <"$work/version")"
      [ "$found" = "$root" ] || refuse "the trust root is $found, not $root"
    else
      signed_by_root "$work/registry" || refuse "registry version $number is not signed by the root before it"
    fi
    signed_by_root "$work/version" || refuse "registry version $number is not signed by its own root"
    [ "$(jq .version "$work/version")" = "$number" ] || refuse "registry version $number is missing"
    mv "$work/version" "$work/registry"
  done < <(jq -c '.chain.versions[]' "$work/dossier")
  [ "$number" -gt 0 ] || refuse "the file holds no trust registry"
  echo "trust: registry version $number stands on $root"
}

# The roots of a registry signed the envelope (of check_trust).
signed_by_root() {
  # shellcheck disable=SC2046 # one word a key
  signed "$envelope" "$type" "$(jq .root.threshold "$1")" $(jq -r '.root.keys[]' "$1")
}

# The keys of a role for something entered at a time: those of today that are not revoked, and those that were
# retired only later. A key's name is the beginning of the SHA-256 of its bytes.
keys_of() {
  local role="$1" at="$2" key id
  jq -r --arg role "$role" --arg at "$at" \
    '.roles[$role].keys[], ((.retired // [])[] | select(.role == $role and .until >= $at) | .key)' "$work/registry" |
    while read -r key; do
      id="$(bytes_of_hex "$key" | sha256_hex | cut -c1-32)"
      jq -e --arg id "$id" 'any(.revoked[]?; .key == $id)' "$work/registry" >/dev/null || echo "$key"
    done
}

node() { { printf '\001'; bytes_of_hex "$1$2"; } | sha256_hex; }

# The root that a proof leads to (RFC 9162, section 2.1.3.2).
root_of() {
  local hash="$1" index="$2" last="$3" sibling
  shift 3
  for sibling in "$@"; do
    [ "$last" -gt 0 ] || return 1
    if [ $((index & 1)) -eq 1 ] || [ "$index" -eq "$last" ]; then
      hash="$(node "$sibling" "$hash")"
      while [ $((index & 1)) -eq 0 ] && [ "$index" -gt 0 ]; do
        index=$((index >> 1))
        last=$((last >> 1))
      done
    else
      hash="$(node "$hash" "$sibling")"
    fi
    index=$((index >> 1))
    last=$((last >> 1))
  done
  [ "$last" -eq 0 ] || return 1
  echo "$hash"
}

# Whether the entry in $work/entry is in the ledger that the registry knows by the name (C2SP tlog-proof).
included() {
  local log="$1" vkey origin key id proof="$work/proof" index size root path sibling
  vkey="$(jq -r --arg log "$log" '.logs[$log].vkey' "$work/registry")"
  origin="$(jq -r --arg log "$log" '.logs[$log].origin' "$work/registry")"
  key="$(cut -d+ -f3- <<<"$vkey" | base64 -d | hex_of_bytes)"
  # Behind the first empty line stands the head: its text, an empty line, its signatures.
  awk 'body { print } /^$/ { body = 1 }' "$proof" >"$work/head"
  awk '/^$/ { exit } { print }' "$work/head" >"$work/message"
  [ "$(sed -n 1p "$work/message")" = "$origin" ] || return 1
  grep -F "— $origin " "$work/head" | head -n 1 | awk '{ print $3 }' | base64 -d | tail -c +5 >"$work/signature"
  # The first byte of the key says Ed25519 (C2SP signed-note).
  [ "${key:0:2}" = 01 ] && verifies "${key:2}" || return 1
  index="$(sed -n 's/^index //p' "$proof" | head -n 1)"
  size="$(sed -n 2p "$work/message")"
  root="$(sed -n 3p "$work/message" | base64 -d | hex_of_bytes)"
  path=()
  while read -r sibling; do
    path+=("$(base64 -d <<<"$sibling" | hex_of_bytes)")
  done < <(awk '/^$/ { exit } NR > 2 { print }' "$proof")
  [ "$index" -lt "$size" ] || return 1
  id="$({ printf '\000'; cat "$work/entry"; } | sha256_hex)"
  [ "$(root_of "$id" "$index" $((size - 1)) ${path[@]+"${path[@]}"})" = "$root" ]
}

# One document of the case file: kind, type, role, ledger.
check_kind() {
  local kind="$1" type="$2" role="$3" log="$4" document id count=0 envelope at
  : >"$work/$kind"
  while read -r document; do
    id="$(jq -r .id <<<"$document")"
    envelope="$(jq -c .envelope <<<"$document")"
    jq -rj .entry <<<"$document" >"$work/entry"
    jq -rj .proof <<<"$document" >"$work/proof"
    at="$(jq -r .at "$work/entry")"
    included "$log" || refuse "$kind $id: its entry is not in the $log ledger"
    [ "$(jq -r .digest "$work/entry")" = "sha256:$(printf '%s' "$envelope" | sha256_hex)" ] ||
      refuse "$kind $id: its ledger entry is of another document"
    # shellcheck disable=SC2046 # one word a key
    signed "$envelope" "$type" "$(jq --arg role "$role" '.roles[$role].threshold' "$work/registry")" \
      $(keys_of "$role" "$at") || refuse "$kind $id: not signed as $role"
    jq -c --arg digest "$(jq -r .digest "$work/entry")" '. + {document_digest: $digest}' "$work/payload" >>"$work/$kind"
    count=$((count + 1))
  done < <(jq -c --arg kind "$kind" '.documents[] | select(.kind == $kind)' "$work/dossier")
  echo "$kind: $count signed as $role, in the $log ledger"
}

# The bill follows from the receipts, in whole minor units.
check_sums() {
  local fault
  fault="$(jq -rn --slurpfile invoices "$work/invoice" --slurpfile receipts "$work/receipt" \
    --slurpfile proofs "$work/fulfilment" --slurpfile settlements "$work/settlement" '
    ($receipts | map({key: .id, value: .}) | from_entries) as $receipt
    | ($invoices[] as $i | (
        ($i.lines[] as $line | $receipt[$line.receipt] as $r
          | if $r == null then "line \($line.description): its receipt is not in the file"
            elif $r.document_digest != $line.receipt_digest then "line \($line.description): it names another receipt"
            elif $r.customer != $i.customer or $r.case != $i.case then "receipt \($r.id) is of another case"
            elif $r.skill != $line.skill or $r.unit_price != $line.unit_price or $r.quantity != $line.quantity
              then "line \($line.description): it says something else than its receipt"
            elif $r.proof != null and all($proofs[]; .predicate.proof != $r.proof.id or .document_digest != $r.proof.digest)
              then "receipt \($r.id): its proof is not in the file"
            elif ((($r.quantity | tonumber) - ($r.included | tonumber)) * ($r.unit_price | tonumber)
                - ($r.amount | tonumber)) | fabs > 1e-9 then "receipt \($r.id): quantity times price is not its amount"
            elif (($r.amount | tonumber) * pow(10; {JPY: 0, KRW: 0, BHD: 3, KWD: 3}[$r.currency] // 2)
                - $line.amount.minor) | fabs > 0.5 then "line \($line.description): not the amount of its receipt"
            else empty end),
        (if ([$i.lines[].receipt] | unique | length) != ($i.lines | length) then "a receipt is billed twice" else empty end),
        (if ([$i.lines[].amount.minor] | add) != $i.total.minor then "the lines do not add up to the total" else empty end))),
      ($settlements[] as $s | [$invoices[] | select(.id == $s.invoice)] as $i
        | if ($i | length) != 1 or $i[0].total != $s.amount then "settlement \($s.id) pays something else" else empty end)' |
    head -n 1)"
  [ -z "$fault" ] || refuse "$fault"
  jq -r '"invoice \(.number): \(.lines | length) lines add up to \(.total.minor) minor units of \(.total.currency)"' "$work/invoice"
  jq -r '"paid: \(.amount.minor) minor units of \(.amount.currency), \(.method)"' "$work/settlement"
}

[ $# -eq 2 ] || refuse "usage: check_bill.sh CASE_FILE sha256:FINGERPRINT"
[ "$(stat -c %s "$1")" -le "$MAX_BYTES" ] || refuse "$1 is larger than $MAX_BYTES bytes"
outer="$(jq -c . "$1" 2>/dev/null)" || refuse "$1 is not JSON"
jq -rj .payload <<<"$outer" | base64 -d >"$work/dossier" || refuse "$1 is not a signed file"
check_trust "$2"
# shellcheck disable=SC2046 # one word a key
signed "$outer" application/vnd.echo.dossier.v1+json 1 $(keys_of operator "$(jq -r .exported "$work/dossier")") ||
  refuse "the file as a whole is not signed by the operator"
echo "seal: the whole file is signed by the operator"
check_kind invoice application/vnd.echo.invoice.v1+json receipts aeterna
check_kind receipt application/vnd.echo.receipt.v1+json receipts aeterna
check_kind fulfilment application/vnd.in-toto+json attestor aeterna
check_kind settlement application/vnd.echo.settlement.v1+json receipts aeterna
check_sums
