import { Client, SluiceError } from 'sluice-client';
import sluice = require('sluice-client');

const client: sluice.Client = new Client();
const end: Promise<SluiceError | undefined> = client.consume('orders', () => undefined).closed;
void end.then((error) => error?.code === 'NOT_FOUND');
