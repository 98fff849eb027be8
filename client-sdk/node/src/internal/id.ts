import type Long = require('long');
import * as protobuf from 'protobufjs/minimal';

/**
 * A delivery id: a uint64, exact. Mostly a number; a bigint from 2^53 on, which ids do reach: the daemon makes them of a
 * slot and a generation that grows with each use of the slot. Each id has one form only, so `===` and Map keys work.
 */
export type Id = number | bigint;

const TWO_32 = 2 ** 32;

/** From what the generated code decodes a uint64 to. */
export function toId(value: number | Long): Id {
  if (typeof value === 'number') return value;
  const high = value.high >>> 0;
  const low = value.low >>> 0;
  return high < 2 ** 21 ? high * TWO_32 + low : (BigInt(high) << 32n) | BigInt(low);
}

/** A uint64 that counts something, as a number: exact up to 2^53. */
export function toNumber(value: number | Long): number {
  return typeof value === 'number' ? value : (value.high >>> 0) * TWO_32 + (value.low >>> 0);
}

/** For the generated code to encode. */
export function fromId(id: Id): number | Long {
  if (typeof id === 'number') return id;
  return new protobuf.util.LongBits(Number(id & 0xffffffffn), Number(id >> 32n)).toLong(true) as unknown as Long;
}

/** The most bytes that an id takes on the wire. */
export const MOST_ID_BYTES = 10;

/** Writes an id as a varint, and returns where it ends. */
export function writeId(bytes: Uint8Array, position: number, id: Id): number {
  if (typeof id === 'bigint') return writeBig(bytes, position, id);
  let value = id;
  while (value > 0x7fffffff) {
    bytes[position++] = (value & 0x7f) | 0x80;
    value = Math.floor(value / 128);
  }
  while (value > 0x7f) {
    bytes[position++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  bytes[position++] = value;
  return position;
}

function writeBig(bytes: Uint8Array, position: number, id: bigint): number {
  let value = id;
  for (; value > 0x7fn; value >>= 7n) bytes[position++] = Number(value & 0x7fn) | 0x80;
  bytes[position++] = Number(value);
  return position;
}
