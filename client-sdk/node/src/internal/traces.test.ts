import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deferred, startApp } from '../../test/app';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

test('a handler runs in the trace of its message', async (t) => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  t.after(() => context.disable());
  const { daemon, client } = await startApp(t);
  const seen: (string | undefined)[] = [];
  const all = deferred();
  client.consume('orders', async () => {
    await Promise.resolve();
    const span = trace.getSpanContext(context.active());
    seen.push(span && `${span.traceId} ${span.spanId} ${span.traceFlags} ${span.isRemote} ${span.traceState?.get('vendor')}`);
    if (seen.length === 5) all.resolve();
  });
  const stream = await daemon.acceptOpened();
  const parents = [`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}`, `00-${'0'.repeat(32)}-${SPAN}-01`, undefined, `00-${TRACE}-${SPAN}-00`];
  stream.deliver(1, 5, (d, sequence) => {
    const parent = parents[sequence - 1];
    if (parent === undefined) return d;
    const name = sequence === 5 ? 'Traceparent' : 'traceparent'; // as Go's http.Header spells it
    const headers = [[name, parent] as const, ['tracestate', 'vendor=x'] as const];
    return { ...d, headers: headers.map(([name, value]) => ({ name: Buffer.from(name), value: Buffer.from(value) })) };
  });
  await all.promise;
  assert.deepEqual(seen, [`${TRACE} ${SPAN} 1 true x`, undefined, undefined, undefined, `${TRACE} ${SPAN} 0 true x`]);
});
