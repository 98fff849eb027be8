import type Long = require('long');
import * as protobuf from 'protobufjs/minimal';
import type { DrainReport, State } from '../options';
import { sluice } from './gen/consumer';
import { fromId, MOST_ID_BYTES, toNumber, writeId } from './id';
import type { Named } from './ledger';
import type { Run } from './outbox';

export import v1 = sluice.v1;

/** The path of `ConsumerService.Consume`. */
export const CONSUME = '/sluice.v1.ConsumerService/Consume';

/** What one stream opens with. */
export interface Opening {
  readonly consumer: string;
  readonly clientId: string;
  readonly messages: number;
  readonly bytes: number;
  readonly maxBatch: number;
  readonly confirm: boolean;
  readonly resumable: boolean;
  readonly resume: readonly Named[];
}

export function encodeOpen(opening: Opening): Buffer {
  const { messages, bytes, confirm, resume, ...rest } = opening;
  return encode({
    open: {
      ...rest,
      credit: { messages, bytes },
      confirmSettlements: confirm,
      resume: resume.map(({ id, token }) => (token === undefined ? { id: fromId(id) } : { id: fromId(id), token })),
    },
  });
}

export function encodeCredit(messages: number, bytes: number): Buffer {
  return encode({ credit: { messages, bytes } });
}

/** `timeout` in ms; undefined: the daemon's. */
export function encodeDrain(timeout: number | undefined): Buffer {
  return encode({ drain: timeout === undefined ? {} : { timeout: toDuration(timeout) } });
}

function encode(request: v1.IConsumeRequest): Buffer {
  return v1.ConsumeRequest.encode(request).finish() as Buffer;
}

// Of ConsumeRequest.settle, Settle.runs and SettleRun.ids: field number and wire type.
const SETTLE_TAG = (2 << 3) | 2;
const RUN_TAG = (1 << 3) | 2;
const IDS_TAG = (1 << 3) | 2;
const ACK_BYTES = v1.SettleRun.encode({ ack: {} }).finish();

/**
 * `ConsumeRequest.settle`. The ids are packed by hand, thousands of them a request; the verdicts beside them by the
 * generated code. Fields of a message may come in pieces, one after the other.
 */
export function encodeSettle(runs: readonly Run[]): Buffer {
  const settle = protobuf.Writer.create();
  for (const run of runs) {
    const ids = packIds(run);
    const verdict = encodeVerdict(run);
    const head = protobuf.Writer.create().uint32(IDS_TAG).uint32(ids.length).finish();
    settle.uint32(RUN_TAG).bytes(Buffer.concat([head, ids, verdict]));
  }
  return protobuf.Writer.create().uint32(SETTLE_TAG).bytes(settle.finish()).finish() as Buffer;
}

function packIds(run: Run): Buffer {
  const bytes = Buffer.allocUnsafe(run.ids.length * MOST_ID_BYTES);
  let end = 0;
  for (const id of run.ids) end = writeId(bytes, end, id);
  return bytes.subarray(0, end);
}

function encodeVerdict({ verdict }: Run): Uint8Array {
  if (verdict === 'in_progress') return v1.SettleRun.encode({ inProgress: {} }).finish();
  switch (verdict.kind) {
    case 'ack':
      return ACK_BYTES;
    case 'nak':
      return v1.SettleRun.encode({ nak: verdict.delay > 0 ? { delay: toDuration(verdict.delay) } : {} }).finish();
    case 'term':
      return v1.SettleRun.encode({ term: { reason: verdict.reason } }).finish();
  }
}

function toDuration(ms: number): { seconds: number; nanos: number } {
  return { seconds: Math.floor(ms / 1000), nanos: Math.round(ms % 1000) * 1_000_000 };
}

interface SecondsAndNanos {
  seconds?: number | Long | null;
  nanos?: number | null;
}

/** Of a Duration, or a Timestamp since the epoch: ms. */
export function toMilliseconds(value: SecondsAndNanos | null | undefined): number {
  return toNumber(value?.seconds ?? 0) * 1000 + (value?.nanos ?? 0) / 1_000_000;
}

export function toState(kind: v1.State.Kind | null | undefined): State {
  switch (kind) {
    case v1.State.Kind.KIND_NATS_DOWN:
      return 'NATS_DOWN';
    case v1.State.Kind.KIND_CONSUMER_MISSING:
      return 'CONSUMER_MISSING';
    case v1.State.Kind.KIND_CONSUMER_INVALID:
      return 'CONSUMER_INVALID';
    case v1.State.Kind.KIND_PAUSED:
      return 'PAUSED';
    case v1.State.Kind.KIND_PINNED_ELSEWHERE:
      return 'PINNED_ELSEWHERE';
    case v1.State.Kind.KIND_PROBING:
      return 'PROBING';
    default:
      return 'SERVING';
  }
}

/** The daemon's report; undefined: it gave none. */
export function toReport(from: v1.IDrainReport | undefined): DrainReport {
  return {
    completed: from !== undefined,
    deadlineExceeded: from?.deadlineExceeded ?? false,
    awaited: toNumber(from?.awaited ?? 0),
    acked: toNumber(from?.acked ?? 0),
    terminated: toNumber(from?.terminated ?? 0),
    naked: toNumber(from?.naked ?? 0),
    expired: toNumber(from?.expired ?? 0),
    late: toNumber(from?.late ?? 0),
    released: toNumber(from?.released ?? 0),
    unsettled: toNumber(from?.unsettled ?? 0),
    deadLettered: toNumber(from?.deadLettered ?? 0),
    phases: (from?.phases ?? []).map(({ phase, duration }) => ({
      phase: phase ?? '',
      duration: toMilliseconds(duration),
    })),
  };
}
