/**
 * Reads OTLP export requests (protobuf) back into plain objects: as much of the format as tests look at. A message is
 * decoded by a table from field number to name and reader; fields without a row are skipped.
 */

export type Attributes = Record<string, unknown>;

export interface ReceivedSpan {
  resource: Attributes;
  scope: string;
  traceId: string;
  spanId: string;
  /** Empty for a root span. */
  parentSpanId: string;
  traceState: string;
  name: string;
  /** 1 internal, 2 server, 3 client. */
  kind: number;
  startNs: bigint;
  endNs: bigint;
  attributes: Attributes;
  events: { name: string; attributes: Attributes }[];
  links: { traceId: string; spanId: string }[];
  /** 0 unset, 1 ok, 2 error. */
  statusCode: number;
  statusMessage: string;
}

export interface ReceivedLog {
  resource: Attributes;
  scope: string;
  timeNs: bigint;
  severityNumber: number;
  severityText: string;
  body: unknown;
  attributes: Attributes;
  /** Empty when no span was current. */
  traceId: string;
  spanId: string;
}

/** @param bytes an ExportTraceServiceRequest */
export function decodeSpans(bytes: Uint8Array): ReceivedSpan[] {
  return decodeSignal(bytes, (fields) => {
    const status = new Fields(fields.bytes(15));
    return {
      traceId: fields.hex(1),
      spanId: fields.hex(2),
      traceState: fields.text(3),
      parentSpanId: fields.hex(4),
      name: fields.text(5),
      kind: fields.number(6),
      startNs: fields.bigint(7),
      endNs: fields.bigint(8),
      attributes: attributesOf(fields, 9),
      events: fields.messages(11).map((event) => ({ name: event.text(2), attributes: attributesOf(event, 3) })),
      links: fields.messages(13).map((link) => ({ traceId: link.hex(1), spanId: link.hex(2) })),
      statusMessage: status.text(2),
      statusCode: status.number(3),
    };
  });
}

/** @param bytes an ExportLogsServiceRequest */
export function decodeLogs(bytes: Uint8Array): ReceivedLog[] {
  return decodeSignal(bytes, (fields) => ({
    timeNs: fields.bigint(1),
    severityNumber: fields.number(2),
    severityText: fields.text(3),
    body: anyValue(new Fields(fields.bytes(5))),
    attributes: attributesOf(fields, 6),
    traceId: fields.hex(9),
    spanId: fields.hex(10),
  }));
}

/** Both requests nest alike: request → per resource → per scope → records. */
function decodeSignal<Item>(bytes: Uint8Array, decode: (fields: Fields) => Item) {
  return new Fields(bytes).messages(1).flatMap((perResource) => {
    const resource = attributesOf(new Fields(perResource.bytes(1)), 1);
    return perResource.messages(2).flatMap((perScope) => {
      const scope = new Fields(perScope.bytes(1)).text(1);
      return perScope.messages(2).map((record) => ({ resource, scope, ...decode(record) }));
    });
  });
}

function attributesOf(fields: Fields, field: number): Attributes {
  return Object.fromEntries(
    fields.messages(field).map((pair) => [pair.text(1), anyValue(new Fields(pair.bytes(2)))] as const),
  );
}

function anyValue(value: Fields): unknown {
  if (value.has(1)) return value.text(1);
  if (value.has(2)) return value.number(2) === 1;
  if (value.has(3)) return Number(BigInt.asIntN(64, value.bigint(3)));
  if (value.has(4)) return value.double(4);
  if (value.has(5)) return new Fields(value.bytes(5)).messages(1).map(anyValue);
  if (value.has(6)) return attributesOf(new Fields(value.bytes(6)), 1);
  if (value.has(7)) return value.bytes(7);
  return null;
}

/** The fields of one protobuf message, by number; absent ones read as zero values. */
class Fields {
  readonly #values = new Map<number, (bigint | Uint8Array)[]>();

  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let position = 0;
    const varint = () => {
      let value = 0n;
      for (let shift = 0n; ; shift += 7n) {
        const byte = view.getUint8(position++);
        value |= BigInt(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
      }
    };
    const take = (length: number) => {
      position += length;
      if (position > bytes.length) throw new Error('a field is longer than its message');
      return bytes.subarray(position - length, position);
    };
    while (position < bytes.length) {
      const tag = Number(varint());
      const wireType = tag & 7;
      const values = this.#values.get(tag >>> 3) ?? [];
      this.#values.set(tag >>> 3, values);
      if (wireType === 0) values.push(varint());
      else if (wireType === 1) values.push(take(8));
      else if (wireType === 2) values.push(take(Number(varint())));
      else if (wireType === 5) values.push(take(4));
      else throw new Error(`wire type ${wireType} is not used by OTLP`);
    }
  }

  has(field: number): boolean {
    return this.#values.has(field);
  }

  bytes(field: number): Uint8Array {
    const value = this.#values.get(field)?.at(-1);
    return value instanceof Uint8Array ? value : new Uint8Array();
  }

  messages(field: number): Fields[] {
    return (this.#values.get(field) ?? []).map((value) => new Fields(value as Uint8Array));
  }

  text(field: number): string {
    return new TextDecoder().decode(this.bytes(field));
  }

  hex(field: number): string {
    return Buffer.from(this.bytes(field)).toString('hex');
  }

  /** A varint, or a fixed64 read as an unsigned integer. */
  bigint(field: number): bigint {
    const value = this.#values.get(field)?.at(-1) ?? 0n;
    return typeof value === 'bigint' ? value : Buffer.from(value).readBigUInt64LE();
  }

  number(field: number): number {
    return Number(this.bigint(field));
  }

  double(field: number): number {
    return Buffer.from(this.bytes(field)).readDoubleLE();
  }
}
