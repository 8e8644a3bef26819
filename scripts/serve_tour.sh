#!/usr/bin/env bash
# To be sourced by the suites and scripts that need a platform with something in it.
#
# serve_tour builds the programs, takes the tour once into a scratch home, and serves that home on a free port.
# It exports ECHO_URL (ends in a slash), ECHO_SIGN_IN (a link that works once) and SCRATCH (holds home/ and
# platform.log). When the sourcing shell ends, the platform is stopped and the scratch folder removed. ECHO_TOML, where set,
# is the platform's echo.toml; ECHO_FEATURES is what the programs are built with.

serve_tour() {
  local target="${CARGO_TARGET_DIR:-target}/debug"
  cargo build --quiet --locked --package echo_os_prime --package echo_cli --package echo_probe \
    --features "${ECHO_FEATURES:-}"
  SCRATCH="$(mktemp -d)"
  PLATFORM_PID=""
  export SCRATCH
  trap stop_platform EXIT
  if ! "$target/echo_cli" tour --once --keep --home "$SCRATCH/home" >"$SCRATCH/tour.log" 2>&1; then
    echo "the tour failed:" >&2
    cat "$SCRATCH/tour.log" >&2
    return 1
  fi
  printf '%s\n' "${ECHO_TOML:-}" >"$SCRATCH/home/echo.toml"
  "$target/echo_os_prime" --home "$SCRATCH/home" --listen 127.0.0.1:0 >"$SCRATCH/platform.log" 2>"$SCRATCH/platform.err" &
  PLATFORM_PID=$!
  ECHO_URL="$(printed 'ready')"
  ECHO_SIGN_IN="$(printed 'sign in:')"
  export ECHO_URL ECHO_SIGN_IN
}

# Waits at most a minute for the platform to print a line that starts with the words, and prints its rest.
printed() {
  local words="$1" rest
  for _ in $(seq 600); do
    rest="$(sed -n "s/^$words //p" "$SCRATCH/platform.log" | head -n 1)"
    if [ -n "$rest" ]; then
      echo "$rest"
      return 0
    fi
    if ! kill -0 "$PLATFORM_PID" 2>/dev/null; then
      break
    fi
    sleep 0.1
  done
  echo "the platform did not print '$words'; it said:" >&2
  cat "$SCRATCH/platform.log" "$SCRATCH/platform.err" >&2
  return 1
}

stop_platform() {
  if [ -n "$PLATFORM_PID" ]; then
    kill "$PLATFORM_PID" 2>/dev/null || true
    wait "$PLATFORM_PID" 2>/dev/null || true
  fi
  rm -rf "$SCRATCH"
}
