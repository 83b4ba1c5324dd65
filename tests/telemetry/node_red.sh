#!/bin/sh
# Node-RED from npm into .build/node-red, once; the test of the flow runs it. Says nothing when it is there.
set -e
cd "$(dirname "$0")/../.."
[ -f .build/node-red/node_modules/node-red/red.js ] && exit 0
command -v npm >/dev/null 2>&1 || { echo "npm is not installed"; exit 1; }
mkdir -p .build/node-red
npm install --silent --no-audit --no-fund --no-save --prefix .build/node-red node-red@4.1 >/dev/null
