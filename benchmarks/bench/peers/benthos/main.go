// The Benthos engine as a webhook gateway: http_server, an HMAC check in Bloblang, a franz-go output.
//
// What Redpanda Connect and Bento are built on, with the output written as theirs is: one synchronous produce
// per batch, acks=all. The input answers 200 by itself once the output has the ack, 502 if there is none.
//
// Argument: `full` reads the JSON body for key and headers as the gateway does, `lean` looks at nothing but the
// signature. Environment: HTTP_ADDRESS, READY_ADDRESS (the engine's own `/ready`), KAFKA_BOOTSTRAP, TOPIC,
// STRIPE_WEBHOOK_SECRET.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/twmb/franz-go/pkg/kgo"
)

const stream = `
http:
  enabled: true
  address: ${READY_ADDRESS}
logger:
  level: WARN
input:
  http_server:
    address: ${HTTP_ADDRESS}
    path: /webhooks/stripe
    timeout: 5s
    sync_response:
      status: ${! metadata("refused").or("200") }
pipeline:
  processors:
    - mapping: |
        let header = metadata("Stripe-Signature").or("").split(",")
        let at = $header.index(0).trim_prefix("t=")
        let given = $header.index(1).catch("").trim_prefix("v1=")
        let made = ($at + "." + content().string()).hash("hmac_sha256", "${STRIPE_WEBHOOK_SECRET}").encode("hex")
        let age = timestamp_unix() - $at.number().catch(0)
        meta refused = if $made != $given || $age > 300 || $age < -300 { "401" } else { deleted() }
    - switch:
        - check: metadata("refused") == "401"
          processors:
            - mapping: root = "no secret of ours made this signature"
            - sync_response: {}
            - mapping: root = deleted()
%s
output:
  franz: {}
`

const identity = `
    - mapping: |
        meta key = this.data.object.metadata.booking_id.or(this.data.object.id).or(this.id)
        meta ce_specversion = "1.0"
        meta ce_id = this.id
        meta ce_source = "/webhooks/stripe"
        meta ce_type = "stripe." + this.type
        meta ce_time = this.created.ts_format("2006-01-02T15:04:05.000000Z", "UTC")
        meta ce_subject = metadata("key")
`

// How many requests may wait for their acks at once.
const inFlightMax = 1000

const headerPrefix = "ce_"

type franz struct{ client *kgo.Client }

func newFranz(*service.ParsedConfig, *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Getenv("KAFKA_BOOTSTRAP"), ",")...),
		kgo.DefaultProduceTopic(os.Getenv("TOPIC")),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(0),
	)
	return &franz{client}, service.BatchPolicy{}, inFlightMax, err
}

func (f *franz) Connect(ctx context.Context) error { return f.client.Ping(ctx) }

func (f *franz) Close(context.Context) error {
	f.client.Close()
	return nil
}

func (f *franz) WriteBatch(ctx context.Context, batch service.MessageBatch) error {
	records := make([]*kgo.Record, 0, len(batch))
	for _, message := range batch {
		value, err := message.AsBytes()
		if err != nil {
			return err
		}
		record := &kgo.Record{Value: value}
		if key, there := message.MetaGet("key"); there {
			record.Key = []byte(key)
		}
		err = message.MetaWalk(func(name, value string) error {
			if strings.HasPrefix(name, headerPrefix) {
				record.Headers = append(record.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
			}
			return nil
		})
		if err != nil {
			return err
		}
		records = append(records, record)
	}
	return f.client.ProduceSync(ctx, records...).FirstErr()
}

func run(form string) error {
	forms := map[string]string{"full": identity, "lean": ""}
	if _, known := forms[form]; !known {
		return fmt.Errorf("%q is no form: full or lean", form)
	}
	if err := service.RegisterBatchOutput("franz", service.NewConfigSpec(), newFranz); err != nil {
		return err
	}
	builder := service.NewStreamBuilder()
	if err := builder.SetYAML(fmt.Sprintf(stream, forms[form])); err != nil {
		return err
	}
	built, err := builder.Build()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err = built.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: benthos-peer full|lean")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
