/**
 * Everything that reads bytes which somebody else wrote: the log, the server's answers, payloads, calls between nodes, znodes. For each: what good
 * input looks like, and how to take the damaged one apart to the last value.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EventDecoder } from '../canal/event/decoder.ts';
import type { BinlogEvent, TableMap } from '../canal/event/event.ts';
import { readEventHeader, verifyChecksum } from '../canal/event/header.ts';
import { parseQueryStatus } from '../canal/event/query-status.ts';
import { decodeHandshake } from '../canal/protocol/handshake.ts';
import { PacketSplitter } from '../canal/protocol/packet-splitter.ts';
import { decodeErr } from '../canal/protocol/reply.ts';
import { decodeColumnCount, decodeColumnName, decodeRow } from '../canal/protocol/result-set.ts';
import { decodeValue } from '../canal/value/decode.ts';
import { applyJsonDiffs, parseJsonDiffs } from '../canal/value/json-diff.ts';
import { compileRowScanner } from '../canal/value/row-scanner.ts';
import { writeKeyLiteral, writeLiteral } from '../canal/value/value-literal.ts';
import { writeValueText } from '../canal/value/value-text.ts';
import { ByteSink } from '../lib/byte-sink.ts';
import { HoltError } from '../lib/errors.ts';
import { PayloadReader, PayloadWriter, surveyPayload } from '../model/payload.ts';
import type { TableShape } from '../model/table-shape.ts';
import { headerCodec } from '../scheduler/claim.ts';
import { lockCodec } from '../scheduler/mainstem.ts';
import {
  configCodec,
  desiredCodec,
  epochCodec,
  progressCodec,
  receiptCodec,
  terminationCodec,
} from '../scheduler/pipeline-store.ts';
import { runningCodec, takingCodec } from '../scheduler/source-ownership.ts';
import { RequestVerifier, signRequest } from '../stages/pipe/channel/signature.ts';
import { headerOf } from '../test/support/batch-header.ts';
import { resummed } from '../test/support/binlog-bytes.ts';
import { repositoryRoot } from '../test/support/inventory.ts';
import type { Random } from '../test/support/random.ts';
import { damaged } from './damage.ts';

/** One reader of bytes; `run` makes one damaged input and reads it. What it throws, if anything, must be a HoltError. */
export interface ByteTarget {
  readonly name: string;
  readonly run: (random: Random) => void;
}

/** No event or packet may unpack to more in these runs. */
const MAX_EVENT_BYTES = 4_000_000;
const HEADER_BYTES = 19;
const TYPE_TABLE_MAP = 19;
const TYPE_PAYLOAD = 40;

interface Log {
  readonly description: Buffer;
  readonly events: readonly Buffer[];
}

export function byteTargets(): readonly ByteTarget[] {
  const logs = readLogs();
  const payloads = logs.map(payloadOf);
  return [
    { name: 'events', run: (random) => damagedEvents(random, random.pick(logs)) },
    { name: 'event headers', run: (random) => damagedHeader(random, random.pick(logs)) },
    { name: 'nested payloads', run: (random) => nested(random, random.pick(logs)) },
    { name: 'packets', run: (random) => packets(random, random.pick(logs)) },
    { name: 'server answers', run: answers },
    { name: 'batch payloads', run: (random) => readPayload(damaged(random, random.pick(payloads))) },
    { name: 'znodes', run: znodes },
    { name: 'signed calls', run: signedCalls },
  ];
}

function readLogs(): Log[] {
  const folder = join(repositoryRoot(), 'test/fixtures/binlog');
  return readdirSync(folder)
    .filter((file) => file.endsWith('.binlog'))
    .map((file) => {
      const bytes = readFileSync(join(folder, file));
      const events: Buffer[] = [];
      for (let at = 4; at < bytes.length; at += bytes.readUInt32LE(at + 9))
        events.push(bytes.subarray(at, at + bytes.readUInt32LE(at + 9)));
      const [description = Buffer.alloc(0)] = events;
      return { description, events };
    });
}

// ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function damagedEvents(random: Random, { description, events }: Log): void {
  const decoder = new EventDecoder({ maxEventBytes: MAX_EVENT_BYTES });
  const consumer = new EventConsumer();
  decoder.decode(description);
  const at = random.int(1, events.length - 1);
  const event = events[at] as Buffer;
  const before = events[at - 1] as Buffer;
  if (before[4] !== TYPE_TABLE_MAP) {
    consumer.take(decodedAmid(decoder, damagedBody(random, event)));
    return;
  }
  // Rows want the map before them: either of the two is damaged.
  const inMap = random.int(1, 2) === 1;
  try {
    consumer.take(decodedAmid(decoder, inMap ? damagedBody(random, before) : before));
  } catch (error) {
    if (!(error instanceof HoltError)) throw error;
  }
  consumer.take(decodedAmid(decoder, inMap ? event : damagedBody(random, event)));
}

/** As in a dump, where an event lies among others: what is read of those shows as a value that is not the event's, or as none of a code. */
function decodedAmid(decoder: EventDecoder, event: Buffer): BinlogEvent {
  const memory = Buffer.concat([Buffer.alloc(40, 0xfb), event, Buffer.alloc(40, 0xfc)]);
  const [from, to] = [40, 40 + event.length];
  const isSummed = decoder.format?.checksum === 'crc32';
  const header = readEventHeader(memory, isSummed ? verifyChecksum(memory, from, to) : null, from, to);
  return decoder.decodeVerified(memory, header, from, to);
}

/** Header and checksum fit what has become of the body. */
function damagedBody(random: Random, event: Buffer): Buffer {
  return wrapped(event.subarray(0, HEADER_BYTES), damaged(random, event.subarray(HEADER_BYTES, -4)));
}

function wrapped(header: Buffer, body: Buffer): Buffer {
  const whole = Buffer.concat([header, body, Buffer.alloc(4)]);
  whole.writeUInt32LE(whole.length, 9);
  return resummed(whole);
}

function damagedHeader(random: Random, { description, events }: Log): void {
  const decoder = new EventDecoder({ maxEventBytes: MAX_EVENT_BYTES });
  if (random.int(1, 4) > 1) decoder.decode(description);
  const event = Buffer.from(random.pick(events));
  event.writeUInt8(random.int(0, 255), random.int(0, HEADER_BYTES - 1));
  new EventConsumer().take(decoder.decode(random.int(1, 4) === 1 ? event : resummed(event)));
}

/** Events inside TRANSACTION_PAYLOAD events, uncompressed, several deep or with wrong lengths. */
function nested(random: Random, { description, events }: Log): void {
  let inner = Buffer.concat(
    Array.from({ length: random.int(1, 4) }, () => {
      const event = Buffer.from(random.pick(events).subarray(0, -4));
      event.writeUInt32LE(event.length, 9);
      return event;
    }),
  );
  for (let depth = random.int(1, 6); depth > 0; depth--) {
    const size = random.int(1, 5) === 1 ? random.pick([0, 1, 0xffff_ffff, inner.length * 2]) : inner.length;
    // (field u8, length u8, value)*: 2 compression type 255 none, 3 size unpacked, 1 size here, 0 end.
    const fields = Buffer.concat([field(2, 255), field(3, size), field(1, inner.length), Buffer.from([0])]);
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt8(TYPE_PAYLOAD, 4);
    header.writeUInt32LE(HEADER_BYTES + fields.length + inner.length, 9);
    inner = Buffer.concat([header, fields, random.int(1, 3) === 1 ? damaged(random, inner) : inner]);
    if (inner.length > MAX_EVENT_BYTES) break;
  }
  const decoder = new EventDecoder({ maxEventBytes: MAX_EVENT_BYTES });
  decoder.decode(description);
  new EventConsumer().take(
    decoder.decode(wrapped(inner.subarray(0, HEADER_BYTES), inner.subarray(HEADER_BYTES))),
  );
}

function field(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(11);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt8(9, 1);
  bytes.writeUInt8(254, 2);
  bytes.writeBigUInt64LE(BigInt(value), 3);
  return bytes;
}

/** Does with an event all that can be done with its bytes. */
class EventConsumer {
  readonly #maps = new Map<number, TableMap>();
  readonly #values = new ValueConsumer();

  take(event: BinlogEvent): void {
    switch (event.kind) {
      case 'transaction-payload':
        for (const inner of event.events) this.take(inner);
        return;
      case 'query':
        parseQueryStatus(event.statusVars);
        return;
      case 'table-map':
        this.#maps.set(event.map.tableId, event.map);
        return;
      case 'rows': {
        const map = this.#maps.get(event.tableId);
        if (map === undefined) return;
        const { data, before, after, partialJson } = event;
        this.#values.takeRows(shapeOf(map), data, 0, data.length, before, after, partialJson, null);
        return;
      }
      default:
    }
  }
}

function shapeOf(map: TableMap): TableShape {
  return {
    schema: map.schema,
    table: map.table,
    key: [],
    hasPrimaryKey: false,
    columns: map.types.map((type, i) => ({
      name: `c${i}`,
      type,
      meta: map.metas[i] ?? 0,
      nullable: true,
      unsigned: map.unsigned?.[i] ?? false,
      collation: map.collations?.[i] ?? 0,
      carrier: 'binlog',
      declared: null,
    })),
  };
}

const EMPTY_OBJECT = Buffer.from([0, 0, 0, 4, 0]);

class ValueConsumer {
  readonly #sink = new ByteSink();

  /** `rows` null: as many as there are. */
  takeRows(
    shape: TableShape,
    data: Buffer,
    start: number,
    end: number,
    before: Uint8Array | null,
    after: Uint8Array | null,
    partialJson: boolean,
    rows: number | null,
  ): void {
    const scanner = compileRowScanner(shape);
    const count = rows ?? scanner.countRows(data.subarray(start, end), before, after, partialJson);
    let at = start;
    for (let row = 0; row < count; row++) {
      for (const [image, present] of [before, after].entries()) {
        if (present === null) continue;
        at =
          partialJson && image === 1
            ? scanner.scanPartial(data, at, end, present)
            : scanner.scan(data, at, end, present);
        for (const [i, column] of shape.columns.entries()) {
          const [offset, length] = [scanner.offsets[i] ?? 0, scanner.lengths[i] ?? -1];
          if (length < 0) continue;
          if (offset + length > end) throw new Error(`a value that ends at ${offset + length} of ${end}`);
          this.#value(column, data, offset, length, scanner.partial[i] === 1);
        }
      }
    }
  }

  #value(
    column: TableShape['columns'][number],
    data: Buffer,
    offset: number,
    length: number,
    partial: boolean,
  ): void {
    this.#sink.reset();
    if (partial) {
      const diffs = data.subarray(offset, offset + length);
      parseJsonDiffs(diffs);
      attempt(() => applyJsonDiffs(EMPTY_OBJECT, diffs));
      return;
    }
    // One that cannot be read does not spare the others.
    attempt(() => writeValueText(this.#sink, column, data, offset, length));
    attempt(() => writeLiteral(this.#sink, column, data, offset, length));
    attempt(() => writeKeyLiteral(this.#sink, column, data, offset, length));
    attempt(() => decodeValue(column, data, offset, length));
  }
}

function attempt(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof HoltError)) throw error;
  }
}

// ── the server's side of the wire ───────────────────────────────────────────────────────────────────────────────────

function packets(random: Random, { events }: Log): void {
  const splitter = new PacketSplitter({
    maxPayloadBytes: MAX_EVENT_BYTES,
    lengthHint: (head) => (head.length >= 14 ? head.readUInt32LE(10) : null),
  });
  const stream: Buffer[] = [];
  for (let i = 0; i < random.int(1, 6); i++) {
    const payload = Buffer.concat([Buffer.from([0]), random.pick(events)]);
    const head = Buffer.alloc(4);
    head.writeUIntLE(random.int(1, 8) === 1 ? random.pick([0, 1, 0xfffffe, 0xffffff]) : payload.length, 0, 3);
    head.writeUInt8(random.int(1, 8) === 1 ? random.int(0, 255) : i, 3);
    stream.push(head, payload);
  }
  const bytes = damaged(random, Buffer.concat(stream));
  for (let at = 0; at < bytes.length; ) {
    const size = random.pick([1, 3, 4, 5, 100, 5_000]);
    splitter.push(bytes.subarray(at, at + size));
    at += size;
    for (let payload = splitter.next(); payload !== null; payload = splitter.next())
      if (payload.length > MAX_EVENT_BYTES) throw new Error(`a payload of ${payload.length} bytes`);
  }
}

function answers(random: Random): void {
  const handshake = Buffer.concat([
    Buffer.from([10]),
    Buffer.from('8.4.0\0'),
    random.bytes(4),
    random.bytes(8),
    Buffer.from([0, 0xff, 0xff, 45, 2, 0, 0xff, 0xdf, 21]),
    Buffer.alloc(10),
    random.bytes(12),
    Buffer.from('\0caching_sha2_password\0'),
  ]);
  const error = Buffer.from('\xff\x15\x04#28000Access denied', 'latin1');
  const row = Buffer.from('\x03abc\xfb\xfc\x03\x00xyz\x00', 'latin1');
  const column = Buffer.from('\x03def\x04test\x01t\x01t\x02id\x02id\x0c\x3f\x00', 'latin1');
  attempt(() => decodeHandshake(damaged(random, handshake)));
  attempt(() => decodeErr(damaged(random, error)));
  attempt(() => decodeColumnCount(damaged(random, row)));
  attempt(() => decodeColumnName(damaged(random, column)));
  attempt(() => decodeRow(damaged(random, row), random.int(0, 6)));
}

// ── between nodes ───────────────────────────────────────────────────────────────────────────────────────────────────

/** The rows of a log as a batch, as far as they can be read without asking a server. */
function payloadOf({ events }: Log): Buffer {
  const decoder = new EventDecoder({ maxEventBytes: MAX_EVENT_BYTES });
  const writer = new PayloadWriter();
  const shapes = new Map<number, TableShape>();
  writer.transaction(1_700_000_000_000_000, '0-1-1');
  for (const bytes of events) {
    const event = decoder.decode(bytes);
    if (event.kind === 'table-map') shapes.set(event.map.tableId, shapeOf(event.map));
    if (event.kind !== 'rows' || writer.bytes > 30_000) continue;
    const shape = shapes.get(event.tableId);
    if (shape === undefined) continue;
    const { op, flags, before, after, data, partialJson } = event;
    const rows = compileRowScanner(shape).countRows(data, before, after, partialJson);
    writer.rawRows(shape, op, flags, rows, before, after, data, 0, data.length);
  }
  return writer.finish();
}

function readPayload(payload: Buffer): void {
  attempt(() => surveyPayload(payload));
  const reader = new PayloadReader(payload);
  const values = new ValueConsumer();
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (record !== 'rows') continue;
    const shape = reader.shapes[reader.table];
    if (shape === undefined) throw new Error(`rows of table ${reader.table}`);
    const { bytes, dataStart, dataEnd, before, after, rows } = reader;
    attempt(() => values.takeRows(shape, bytes, dataStart, dataEnd, before, after, false, rows));
  }
}

function znodes(random: Random): void {
  const tenure = '0123456789abcdef0123456789abcdef';
  const lock = { version: 1, node: 'n', instance: 'i', sinceMs: 1 };
  const examples = [
    [headerCodec, headerOf()],
    [lockCodec, lock],
    [takingCodec, { ...lock, state: 'held' }],
    [runningCodec, { active: true, address: 'a:1', cid: 1, node: 'n', instance: 'i' }],
    [configCodec, { version: 1, digest: 'a'.repeat(64), text: '{}', by: 'x', writtenMs: 1 }],
    [desiredCodec, { version: 1, desired: 'running', by: 'x', why: 'y', code: null, sinceMs: 1 }],
    [epochCodec, { version: 1, epoch: 1, tenure, seq: '1', node: 'n', raisedMs: 1 }],
    [progressCodec, { version: 1, epoch: 1, tenure, seq: '1', part: 0 }],
    [receiptCodec, { version: 1, seq: '1', epoch: 1, tenure, end: 'mariadb:0-1-1', rows: 1 }],
    [
      terminationCodec,
      {
        version: 1,
        kind: 'rewind',
        code: 'x',
        why: 'y',
        stage: 'load',
        node: 'n',
        epoch: 1,
        tenure,
        seq: '1',
        requestedMs: 1,
      },
    ],
  ] as const;
  const [codec, value] = random.pick(examples);
  const bytes = Buffer.from(JSON.stringify(value));
  const deep = random.int(1, 20) === 1 ? Buffer.from('['.repeat(random.int(1, 100_000))) : bytes;
  codec.decode(damaged(random, deep), '/seda/x');
}

const KEY = Buffer.from('a key of sixteen bytes and more');

function signedCalls(random: Random): void {
  const verifier = new RequestVerifier({ key: KEY, nowMs: () => 1_000_000 });
  const request = {
    method: 'GET',
    target: '/payload?pipeline=p&seq=1',
    body: random.bytes(random.int(0, 60)),
  };
  const headers: Record<string, unknown> = { ...signRequest(KEY, 'node', 1_000_000, request) };
  const name = random.pick(Object.keys(headers));
  const original = String(headers[name]);
  const text = damaged(random, Buffer.from(original)).toString('latin1');
  const forms: readonly unknown[] = [text, text, undefined, [text, text]];
  headers[name] = forms[random.int(0, forms.length - 1)];
  const verdict = verifier.verify(headers, request);
  // The name of the node is signed, the case of hexadecimal digits is not what makes a signature.
  if (verdict.kind === 'genuine' && headers[name] !== original)
    throw new Error(`${name} was changed and taken for genuine`);
}
