// Messages a second of an app with the SDK, beside a bare gRPC stream of the same frames: 256 messages of 128 bytes with
// resume tokens, packed ids back. Five rounds, interleaved; prints medians as JSON lines, and each row's ratio to the better of the bare ones.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROUNDS = Number(process.env.ROUNDS ?? 5);
const MESSAGES = Number(process.env.MESSAGES ?? 300_000);
const WINDOW = 4096; // messages unanswered; the SDK's credit
const PAYLOAD = 128; // bytes
const BARE = ['bare', 'bare_reader'];
const ROWS = [...BARE, 'handler', 'handler_async', 'batches', 'iterator'];

const servers = process.env.SLUICE_BENCH_DIR ?? '.';
const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const app = fileURLToPath(new URL('app.mjs', import.meta.url));

async function serve(name, socket, args) {
  const program = join(servers, name);
  if (!existsSync(program)) throw new Error(`no ${program}: build the target ${name}, or name its folder with SLUICE_BENCH_DIR`);
  const server = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  for (let left = 1000; !existsSync(socket); --left) {
    if (left === 0 || server.exitCode !== null) throw new Error(`${name} does not listen`);
    await sleep(10);
  }
  return server;
}

async function measure(row) {
  const socket = join(folder, BARE.includes(row) ? 'floor' : 'stub');
  const child = spawn(process.execPath, [app, row, `unix://${socket}`, MESSAGES, WINDOW], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${row} exited with ${code}`);
  return JSON.parse(output);
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

const floor = await serve('bench_floor', join(folder, 'floor'), [`unix://${folder}/floor`, PAYLOAD, WINDOW]);
const stub = await serve('bench_stub_daemon', join(folder, 'stub'), [join(folder, 'stub'), PAYLOAD]);
try {
  const runs = Object.fromEntries(ROWS.map((row) => [row, []]));
  for (let round = 0; round < ROUNDS; ++round) {
    for (const row of ROWS) runs[row].push(await measure(row));
  }
  const tell = (name, value, unit) => console.log(JSON.stringify({ name: `node_${name}`, value, unit }));
  const rate = (row) => median(runs[row].map((run) => run.rate));
  for (const row of ROWS) {
    tell(row, Math.round(rate(row)), 'messages/s');
    tell(`${row}_cpu`, Number(median(runs[row].map((run) => run.cpu)).toFixed(2)), 'us/message');
  }
  const best = Math.max(...BARE.map(rate));
  for (const row of ROWS.slice(BARE.length)) tell(`${row}_ratio`, Number((rate(row) / best).toFixed(3)), 'of bare');
} finally {
  for (const server of [floor, stub]) {
    server.kill('SIGKILL');
    await once(server, 'exit');
  }
  rmSync(folder, { recursive: true });
}
