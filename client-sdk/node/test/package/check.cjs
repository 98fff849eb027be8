// Without a daemon: looks for one, gives up when told to, and lets the process end.
const assert = require('node:assert/strict');

exports.check = async ({ Client, Reject, RetryAfter, run }) => {
  const states = [];
  const client = new Client({ address: 'unix:///nonexistent/sluice.sock' });
  const orders = client.consume('orders', () => undefined, { onState: (state) => states.push(state) });
  setTimeout(() => process.kill(process.pid, 'SIGTERM'), 100);
  assert.equal((await run(orders)).completed, false);
  assert.equal(states.at(0), 'CONNECTING');
  assert.equal(states.at(-1), 'CLOSED');
  assert.ok(new Reject('no') instanceof Error && new RetryAfter(5) instanceof Error);
};
