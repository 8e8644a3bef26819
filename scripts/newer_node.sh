#!/usr/bin/env bash
# To be sourced: puts the Node.js that scripts/need got from npm before the system's own, where there is one.
PATH="$(cd "${CARGO_TARGET_DIR:-target}" && pwd)/newer_node/node_modules/node/bin:$PATH"
export PATH
