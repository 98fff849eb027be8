#!/bin/sh
# Installs the npm tarball $1 in the empty folder $2, and uses it from each module system, and from TypeScript.
set -eu
tarball=$1
folder=$2
here=$(cd "$(dirname "$0")" && pwd)

rm -rf "$folder" && mkdir -p "$folder"
cp "$here"/package/* "$folder"
cd "$folder"
npm init --yes >/dev/null
npm install --no-audit --no-fund --loglevel=error "$tarball"
echo "packages installed beside it: $(($(ls -d node_modules/* node_modules/@*/* | grep -cv '/@[^/]*$') - 1))"

node program.cjs
node program.mjs
[ "$(node -p 'Object.keys(require("sluice-client")).sort().join()')" = \
  "$(node --input-type=module -e 'import * as s from "sluice-client"; console.log(Object.keys(s).filter((k) => !["default", "module.exports", "__esModule"].includes(k)).sort().join())')" ]

npm install --no-audit --no-fund --loglevel=error --save-dev typescript@~5.9.3 @types/node@20
npx tsc --strict --noEmit --module nodenext --target es2022 --exactOptionalPropertyTypes typed.mts typed.cts
npx tsc --strict --noEmit --module esnext --moduleResolution bundler --target es2022 typed.mts
echo "the package works from ESM, CommonJS and TypeScript"
