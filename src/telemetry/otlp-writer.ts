/**
 * Writes OTLP's protobuf fields one after the other into a buffer that grows as needed. Field numbers are the caller's
 * business, except for key-value pairs, which look the same everywhere in OTLP. A `tag` is field number and wire type.
 */
import type { HrTime } from '@opentelemetry/api';

/** Attribute values this writer knows; whole numbers from 0 to 2^53 - 1. */
export type PlainValue = string | number | boolean;

const KEY = 0x0a;
const VALUE = 0x12;
const STRING_VALUE = 0x0a;
const BOOL_VALUE = 0x10;
const INT_VALUE = 0x18;
const DOUBLE_VALUE = 0x21;

/** Span.flags: field 16, 32 bits. */
const SPAN_FLAGS_TAG = [0x85, 0x01] as const;

/** An attribute's name as the first field of its pair, for `OtlpWriter.attribute`. */
export function encodedKey(name: string): Uint8Array {
  const writer = new OtlpWriter(Buffer.byteLength(name) + 12);
  writer.text(KEY, name);
  return writer.copyFrom(0);
}

/** Bytes left for the length of a message whose length is not known yet: enough for a span up to 16 KiB. */
const RESERVED_LENGTH = 2;

export class OtlpWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(size = 64 * 1_024) {
    this.#bytes = Buffer.allocUnsafeSlow(size);
  }

  get length(): number {
    return this.#at;
  }

  reset(): void {
    this.#at = 0;
  }

  copyFrom(start: number): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#bytes, start, this.#at);
  }

  /** Begins a message of unknown length; what is written until `close` with the returned position is its content. */
  open(tag: number): number {
    this.#reserve(1 + RESERVED_LENGTH);
    this.#bytes[this.#at++] = tag;
    this.#at += RESERVED_LENGTH;
    return this.#at;
  }

  close(start: number): void {
    const length = this.#at - start;
    const size = varintSize(length);
    if (size !== RESERVED_LENGTH) {
      this.#reserve(size);
      this.#bytes.copyWithin(start - RESERVED_LENGTH + size, start, this.#at);
    }
    this.#at = start - RESERVED_LENGTH;
    this.#varint(length);
    this.#at += length;
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  text(tag: number, text: string): void {
    const length = Buffer.byteLength(text);
    this.#reserve(length + 6);
    this.#bytes[this.#at++] = tag;
    this.#varint(length);
    this.#at += this.#bytes.write(text, this.#at);
  }

  hex(tag: number, hex: string): void {
    this.#reserve(hex.length / 2 + 2);
    this.#bytes[this.#at++] = tag;
    this.#varint(hex.length / 2);
    this.#at += this.#bytes.write(hex, this.#at, 'hex');
  }

  /** A number below 128. */
  small(tag: number, value: number): void {
    this.#reserve(2);
    this.#bytes[this.#at++] = tag;
    this.#bytes[this.#at++] = value;
  }

  /** Nanoseconds since the epoch as 64 bits, computed in halves because they exceed a double's 53. */
  time(tag: number, [seconds, nanoseconds]: HrTime): void {
    const upper = Math.floor(seconds / 0x1_0000) * 1e9;
    const lower = (seconds % 0x1_0000) * 1e9 + nanoseconds;
    const low = (upper % 0x1_0000) * 0x1_0000 + (lower % 0x1_0000_0000);
    const carry = low >= 0x1_0000_0000 ? 1 : 0;
    const high = Math.floor(upper / 0x1_0000) + Math.floor(lower / 0x1_0000_0000) + carry;
    this.#reserve(9);
    this.#bytes[this.#at++] = tag;
    this.#at = this.#bytes.writeUInt32LE(low % 0x1_0000_0000, this.#at);
    this.#at = this.#bytes.writeUInt32LE(high, this.#at);
  }

  flags(traceFlags: number, remoteFlags: number): void {
    this.#reserve(6);
    this.#bytes[this.#at++] = SPAN_FLAGS_TAG[0];
    this.#bytes[this.#at++] = SPAN_FLAGS_TAG[1];
    this.#bytes[this.#at++] = traceFlags;
    this.#bytes[this.#at++] = remoteFlags;
    this.#bytes[this.#at++] = 0;
    this.#bytes[this.#at++] = 0;
  }

  /** A KeyValue whose key is already encoded. */
  attribute(tag: number, key: Uint8Array, value: PlainValue): void {
    const textLength = typeof value === 'string' ? Buffer.byteLength(value) : 0;
    const valueLength = plainValueLength(value, textLength);
    const length = key.length + 1 + varintSize(valueLength) + valueLength;
    this.#reserve(length + 6);
    this.#bytes[this.#at++] = tag;
    this.#varint(length);
    this.#bytes.set(key, this.#at);
    this.#at += key.length;
    this.#bytes[this.#at++] = VALUE;
    this.#varint(valueLength);
    if (typeof value === 'string') {
      this.#bytes[this.#at++] = STRING_VALUE;
      this.#varint(textLength);
      this.#at += this.#bytes.write(value, this.#at);
    } else if (typeof value === 'boolean') {
      this.#bytes[this.#at++] = BOOL_VALUE;
      this.#bytes[this.#at++] = value ? 1 : 0;
    } else if (Number.isInteger(value)) {
      this.#bytes[this.#at++] = INT_VALUE;
      this.#varint(value);
    } else {
      this.#bytes[this.#at++] = DOUBLE_VALUE;
      this.#at = this.#bytes.writeDoubleLE(value, this.#at);
    }
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at++] = rest;
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + size));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

function plainValueLength(value: PlainValue, textLength: number): number {
  if (typeof value === 'string') return 1 + varintSize(textLength) + textLength;
  if (typeof value === 'boolean') return 2;
  return Number.isInteger(value) ? 1 + varintSize(value) : 9;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}
