// The Node.js SDK in the hands of the conformance runner. See ../../README.md.
import { createInterface } from 'node:readline';
import { Client, run } from '../../../../client-sdk/node/dist/index.mjs';
import { emit, Play, Scripts } from './script.mjs';

const scripts = new Scripts();
const clients = new Map(); // by client id
const consumptions = new Map(); // by name
const plays = new Map(); // by name: what makes a Play of a message

const commands = {
  consume(name, { consumer, style, options = {} }) {
    const { client_id: clientId, break_after: breakAfter = 0, ...rest } = options;
    const client = clientOf(clientId);
    const settings = { ...optionsOf(rest), ...hooksOf(name), manual: style === 'manual' };
    const byMethods = !['handler', 'async'].includes(style);
    const play = (message) => new Play(scripts, { name, consumer, byMethods, confirm: settings.confirm }, message);
    plays.set(name, play);
    let consumption;
    if (style === 'iterator') {
      consumption = client.messages(consumer, settings);
      void loop(name, consumption, breakAfter);
    } else if (style === 'fetch') {
      consumption = client.fetcher(consumer, settings);
    } else if (style === 'handler') {
      consumption = client.consume(consumer, (m) => play(m).runNow(), settings);
    } else {
      consumption = client.consume(consumer, (m) => play(m).run(), settings);
    }
    consumptions.set(name, consumption);
    void consumption.closed.then((error) => tellClosed(name, error));
  },

  async fetch(name, { n, max_wait_ms: maxWait }) {
    const messages = await consumptions.get(name).fetch(n, { maxWait }).catch(logged([]));
    for (const message of messages) await plays.get(name)(message).run();
    emit('fetched', { as: name, count: messages.length });
  },

  release(_name, { sequence, steps }) {
    scripts.release(sequence, steps);
  },

  async drain(name, { timeout_ms: timeout }) {
    tellDrained(name, await consumptions.get(name).drain(timeout));
  },

  stop(name) {
    return consumptions.get(name).stop();
  },

  stats(name) {
    emit('stats', { as: name, stats: inSnakeCase(consumptions.get(name).stats()) });
  },

  async run(name) {
    const consumption = consumptions.get(name);
    const report = await run(consumption);
    tellDrained(name, report);
    tellClosed(name, await consumption.closed);
    process.exit(report.completed ? 0 : 1); // whatever handlers still do
  },
};

async function loop(name, messages, breakAfter) {
  let count = 0;
  try {
    for await (const message of messages) {
      await plays.get(name)(message).run();
      if (++count === breakAfter) break;
    }
  } catch (error) {
    logged()(error);
  }
  if (breakAfter > 0 && count === breakAfter) tellDrained(name, await messages.drain());
}

function clientOf(clientId) {
  if (!clients.has(clientId)) clients.set(clientId, new Client({ ...(clientId && { clientId }), logger }));
  return clients.get(clientId);
}

function optionsOf({ credit_messages: messages, credit_bytes: bytes, max_batch: maxBatch, hand_back: handBack, key, ...rest }) {
  return {
    credit: { ...(messages && { messages }), ...(bytes && { bytes }) },
    ...(maxBatch && { maxBatch }),
    ...(handBack && { handBack }),
    ...(key && { key: keyOf(key) }),
    ...rest,
  };
}

function keyOf(key) {
  const header = key.replace(/^header:/, '');
  return key === 'subject' ? (m) => m.subject : (m) => m.header(header);
}

function hooksOf(name) {
  return {
    onState: (state, detail) => emit('state', { as: name, state, detail }),
    onDraining: ({ byDaemon }) => emit('draining', { as: name, by_daemon: byDaemon }),
    onError: ({ message }) => emit('error', { as: name, message }),
  };
}

const closed = new Set();

function tellClosed(name, error) {
  if (closed.has(name)) return; // told already: `run` waits for the same end
  closed.add(name);
  emit('closed', { as: name, code: error?.code ?? 'OK', message: error?.message ?? '' });
}

function tellDrained(name, report) {
  emit('drained', { as: name, report: inSnakeCase(report) });
}

function inSnakeCase(counts) {
  return Object.fromEntries(Object.entries(counts).map(([key, value]) => [key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`), value]));
}

function logged(result) {
  return (error) => {
    console.error(error);
    return result;
  };
}

const logger = { debug: console.error, warn: console.error, error: console.error };

emit('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  Promise.resolve()
    .then(() => commands[command.do](command.as, command))
    .catch((error) => {
      console.error(command, error);
      emit('error', { as: command.as, message: error.message });
    });
}
await Promise.all([...clients.values()].map((client) => client.close()));
process.exit(0);
