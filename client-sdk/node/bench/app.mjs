// app.mjs ROW ADDRESS MESSAGES WINDOW: acks so many messages, and prints how many a second, and the CPU time of each in µs.
import grpc from '@grpc/grpc-js';
import protobuf from '../dist/internal/gen/consumer.js';
import { Frame } from '../dist/internal/frame.js';
import { encodeSettle } from '../dist/internal/wire.js';
import { Client } from '../dist/index.mjs';

const [row, address, messages, window] = process.argv.slice(2);
const { v1 } = protobuf.sluice;
const WARM_UP = 50_000; // not counted: what the compiler takes to see what is hot
const most = WARM_UP + Number(messages);
let count = 0;
let began = 0;
let cpuBegan;

/** True once all were counted. */
function counted(more) {
  const before = count;
  count += more;
  if (before < WARM_UP && count >= WARM_UP) {
    began = performance.now();
    cpuBegan = process.cpuUsage();
  }
  return before < most && count >= most;
}

function tell() {
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpuBegan);
  const told = { rate: Number(messages) / seconds, cpu: (user + system) / Number(messages) };
  process.stdout.write(JSON.stringify(told), () => process.exit(0));
}

/** A bidi stream and nothing else: reads a frame, writes its ids as one run. */
function bare(decode, answer) {
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc-node.flow_control_window': 4 << 20,
  });
  const call = client.makeBidiStreamRequest('/sluice.v1.ConsumerService/Consume', (bytes) => bytes, decode);
  call.on('error', (error) => {
    throw error;
  });
  call.write(v1.ConsumeRequest.encode({ open: { consumer: 'bench', resumable: true, credit: { messages: Number(window) } } }).finish());
  call.on('data', (frame) => {
    const ids = answer(frame);
    call.write(ids.bytes);
    if (counted(ids.count)) tell();
  });
}

const ACK = { kind: 'ack' };
const options = { credit: { messages: Number(window) } };
const client = new Client({ address });

const rows = {
  // By the generated code.
  bare: () =>
    bare(
      (bytes) => v1.ConsumeResponse.decode(bytes).deliveries?.deliveries ?? [],
      (deliveries) => ({
        count: deliveries.length,
        bytes: v1.ConsumeRequest.encode({ settle: { runs: [{ ids: deliveries.map(({ id }) => id), ack: {} }] } }).finish(),
      }),
    ),
  // By the SDK's reader.
  bare_reader: () =>
    bare(
      (bytes) => (Frame.is(bytes) ? new Frame(bytes).deliveries : []),
      (deliveries) => ({
        count: deliveries.length,
        bytes: encodeSettle([{ verdict: ACK, ids: deliveries.map(({ id }) => id) }]),
      }),
    ),
  handler: () =>
    client.consume('bench', () => void (counted(1) && tell()), options),
  handler_async: () =>
    client.consume('bench', async () => void (counted(1) && tell()), options),
  batches: () =>
    client.consumeBatches('bench', (batch) => void (counted(batch.length) && tell()), options),
  iterator: async () => {
    for await (const message of client.messages('bench', options)) {
      message.ack();
      if (counted(1)) tell();
    }
  },
};

await rows[row]();
