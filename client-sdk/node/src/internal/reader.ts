import type { Id } from './id';

/** Reads protobuf's wire format: what the hot path needs of it, and as fast as it gets. */
export class Reader {
  constructor(
    readonly bytes: Uint8Array,
    public position: number,
  ) {}

  /** A varint as a number: exact up to 2^53. */
  number(): number {
    const bytes = this.bytes;
    let position = this.position;
    let byte = bytes[position++] as number;
    let value = byte & 0x7f;
    if (byte > 0x7f) {
      byte = bytes[position++] as number;
      value |= (byte & 0x7f) << 7;
      if (byte > 0x7f) {
        byte = bytes[position++] as number;
        value |= (byte & 0x7f) << 14;
        for (let factor = 2 ** 21; byte > 0x7f; factor *= 128) {
          byte = bytes[position++] as number;
          value += (byte & 0x7f) * factor;
        }
      }
    }
    this.position = position;
    return value;
  }

  /** A varint, exact. */
  id(): Id {
    const start = this.position;
    const value = this.number();
    if (value <= Number.MAX_SAFE_INTEGER) return value;
    let exact = 0n;
    for (let i = this.position - 1; i >= start; --i) exact = (exact << 7n) | BigInt((this.bytes[i] as number) & 0x7f);
    return exact;
  }

  /** Passes over the value of a field that is not known here. */
  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.number();
        return;
      case 1:
        this.position += 8;
        return;
      case 2: {
        const length = this.number();
        this.position += length;
        return;
      }
      case 5:
        this.position += 4;
        return;
      default:
        throw new RangeError(`a response with wire type ${tag & 7}: not of this contract`);
    }
  }
}
