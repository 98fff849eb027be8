// hello prints the messages of the consumer "orders", and acks them. Ctrl-C drains.
package main

import (
	"context"
	"fmt"
	"log"

	sluice "github.com/sluice-sidecar/sluice/client-sdk/go"
)

func main() {
	client, err := sluice.NewClient() // $SLUICE_ADDRESS, else unix:///run/sluice/sluice.sock
	if err != nil {
		log.Fatal(err)
	}
	orders := client.Consume(context.Background(), "orders", func(_ context.Context, m *sluice.Message) error {
		fmt.Printf("%s: %s\n", m.Subject(), m.Data())
		return nil
	})
	report, err := sluice.Run(context.Background(), orders)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("drained: %+v\n", report)
}
