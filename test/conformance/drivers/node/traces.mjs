// OpenTelemetry's API as the SDK finds it, with a context that follows what is awaited.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../../../client-sdk/node/package.json', import.meta.url));
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
export const { context, trace } = require('@opentelemetry/api');

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
