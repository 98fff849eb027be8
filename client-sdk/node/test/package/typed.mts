import { Client, Reject, RetryAfter, run, type DrainReport, type Message, type Outcome } from 'sluice-client';

const client = new Client({ address: 'localhost:7422' });

const orders = client.consume(
  'orders',
  async (m: Message) => {
    const { id } = m.json<{ id: number }>();
    if (id < 0) throw new Reject('no such order');
    if (id === 0) return new RetryAfter(5_000);
    await fetch('http://127.0.0.1/', { signal: m.signal });
    return undefined;
  },
  { concurrency: 8, key: (m) => m.header('Customer'), onState: (state) => state satisfies string },
);
client.consumeBatches('orders', (batch) => {
  for (const m of batch) m.ack();
});
for await (const m of client.messages('orders', { manual: true })) m.term('no');
for (const m of await client.fetcher('orders').fetch(10, { maxWait: 500 })) {
  const outcome: Outcome = await m.outcome;
  if (outcome === 'LATE') m.nak(50);
}
// @ts-expect-error: a boolean is no verdict
client.consume('orders', () => false);
// @ts-expect-error: no such option
client.consume('orders', () => undefined, { concurency: 8 });
const report: DrainReport = await run(orders, { timeout: 10_000 });
const reports: DrainReport[] = await run([orders]);
process.exitCode = report.completed && reports.length > 0 ? 0 : 1;
