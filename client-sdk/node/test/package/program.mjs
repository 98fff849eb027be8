import { Client, Reject, RetryAfter, run } from 'sluice-client';
import { check } from './check.cjs';

await check({ Client, Reject, RetryAfter, run });
