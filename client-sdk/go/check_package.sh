#!/bin/sh
# Uses the SDK as somebody else would: by its module path, from a module proxy, in a module of its own in an empty place.
# What else it needs comes from this machine's module cache.
#
#   OUT   where to work
set -eu
module=github.com/sluice-sidecar/sluice/client-sdk/go
version=v0.1.0
here=$(cd "$(dirname "$0")" && pwd)
app=$OUT/outsider

chmod -R u+w "$OUT/modcache" 2>/dev/null || true
rm -rf "$OUT/proxy" "$OUT/modcache" "$app"
mkdir -p "$OUT/proxy" "$app"
"$OUT/bin/pack" "$OUT/proxy" $version "$module=$here" "$module/otelsluice=$here/otelsluice"

# The second one has what was downloaded for the SDK itself; the last one is asked only for what is not there.
GOPROXY="file://$OUT/proxy,file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)"
GOMODCACHE=$OUT/modcache
GONOSUMDB=$module,$module/*
GOFLAGS=-trimpath # so that what is built does not depend on where, and is cached
GOWORK=off
export GOPROXY GOMODCACHE GONOSUMDB GOFLAGS GOWORK

cd "$app"
cp "$here/internal/outsider/main.go" .
cat > traced.go <<EOF
package main

import "$module/otelsluice"

var _ = otelsluice.WithTraceContext
EOF
go mod init example.com/outsider 2>/dev/null
go get $module@$version $module/otelsluice@$version
go mod tidy
go vet ./...
go build -o outsider .
said=$(./outsider)
echo "$said"
[ "$said" = "handled order 1, acked" ]
! grep -q replace go.mod
