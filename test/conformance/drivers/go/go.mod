module github.com/sluice-sidecar/sluice/test/conformance/drivers/go

go 1.26.0

require (
	github.com/sluice-sidecar/sluice/client-sdk/go v0.1.0
	github.com/sluice-sidecar/sluice/client-sdk/go/otelsluice v0.1.0
	go.opentelemetry.io/otel/trace v1.47.0
	google.golang.org/grpc v1.85.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	go.opentelemetry.io/otel v1.47.0 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.42.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260817212433-ac3dfec99bb1 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace github.com/sluice-sidecar/sluice/client-sdk/go => ../../../../client-sdk/go

replace github.com/sluice-sidecar/sluice/client-sdk/go/otelsluice => ../../../../client-sdk/go/otelsluice
