// Books orders into SQLite, each once, however often it is delivered:
//
//     npm install && DATABASE=orders.db npm start
//     nats pub orders.new '{"id":"a-1","customer":"ada","cents":1999}'
import Database from 'libsql'; // SQLite, with the API of better-sqlite3
import { Client, RetryAfter, run } from 'sluice-client';

const db = new Database(process.env.DATABASE ?? 'orders.db');
db.pragma('journal_mode = WAL');
db.exec(`
  CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, customer TEXT NOT NULL, cents INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS balances (customer TEXT PRIMARY KEY, cents INTEGER NOT NULL) STRICT;
`);
const insertOrder = db.prepare('INSERT INTO orders VALUES (@id, @customer, @cents) ON CONFLICT DO NOTHING');
const addToBalance = db.prepare(
  'INSERT INTO balances VALUES (@customer, @cents) ON CONFLICT DO UPDATE SET cents = cents + excluded.cents',
);

// The order's own id says whether it was booked before: at least once on the wire becomes once in the books. A commit waits
// for the disk, so what waits shares one.
const book = db.transaction((orders) => {
  for (const order of orders) {
    if (insertOrder.run(order).changes > 0) addToBalance.run(order);
  }
});

/** The order in a message; undefined, and the message is never delivered again, if there is none. */
function orderIn(message) {
  try {
    const { id, customer, cents } = message.json();
    if (typeof id === 'string' && typeof customer === 'string' && Number.isSafeInteger(cents)) return { id, customer, cents };
  } catch {
    // no JSON
  }
  message.term('not an order: needs id, customer, cents');
  return undefined;
}

function handle(messages) {
  const orders = messages.map(orderIn).filter((order) => order !== undefined);
  try {
    book(orders);
    return undefined; // acks
  } catch (error) {
    if (error.code === 'SQLITE_BUSY') return new RetryAfter(500);
    throw error; // naks, and is logged
  }
}

const client = new Client();
const report = await run(client.consumeBatches('orders', handle)); // until SIGTERM or SIGINT
db.close();
console.log(`drained: ${JSON.stringify(report)}`);
process.exitCode = report.completed ? 0 : 1;
