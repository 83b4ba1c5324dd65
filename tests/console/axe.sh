#!/bin/sh
# axe-core from npm into .build/axe, once; the accessibility test runs it. Says nothing when it is there.
set -e
cd "$(dirname "$0")/../.."
[ -f .build/axe/node_modules/axe-core/axe.min.js ] && exit 0
command -v npm >/dev/null 2>&1 || { echo "npm is not installed"; exit 1; }
mkdir -p .build/axe
npm install --silent --no-audit --no-fund --no-save --prefix .build/axe axe-core@4.10 >/dev/null
