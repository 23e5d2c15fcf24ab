import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventDecoder } from '../../../../canal/event/decoder.ts';
import type { BinlogEvent, TableMap } from '../../../../canal/event/event.ts';
import { parseQueryStatus } from '../../../../canal/event/query-status.ts';
import { applyJsonDiffs, parseJsonDiffs } from '../../../../canal/value/json-diff.ts';
import { compileRowScanner } from '../../../../canal/value/row-scanner.ts';
import { writeLiteral } from '../../../../canal/value/value-literal.ts';
import { writeValueText } from '../../../../canal/value/value-text.ts';
import { ByteSink } from '../../../../lib/byte-sink.ts';
import { HoltError } from '../../../../lib/errors.ts';
import type { TableShape } from '../../../../model/table-shape.ts';
import { resummed } from '../../../support/binlog-bytes.ts';

/** Binlogs that real servers wrote, see test/fixtures/binlog/README.md. */
const FIXTURES = join(import.meta.dirname, '../../../fixtures/binlog');

const EMPTY_OBJECT = Buffer.from([0, 0, 0, 4, 0]);

interface Log {
  readonly name: string;
  readonly description: Buffer;
  readonly events: readonly Buffer[];
}

const logs: readonly Log[] = readdirSync(FIXTURES)
  .filter((file) => file.endsWith('.binlog'))
  .map((file) => {
    const events = cut(readFileSync(join(FIXTURES, file)));
    const [description = Buffer.alloc(0)] = events;
    return { name: file, description, events };
  });

function cut(file: Buffer): Buffer[] {
  const events: Buffer[] = [];
  for (let at = 4; at < file.length; ) {
    const length = file.readUInt32LE(at + 9);
    events.push(file.subarray(at, at + length));
    at += length;
  }
  return events;
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

/** Does with an event all that can be done with its bytes. */
class Consumer {
  readonly #maps = new Map<number, TableMap>();
  readonly #sink = new ByteSink();
  values = 0;

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
      case 'rows':
        this.#takeRows(event);
        return;
      default:
    }
  }

  #takeRows(event: Extract<BinlogEvent, { kind: 'rows' }>): void {
    const map = this.#maps.get(event.tableId);
    if (map === undefined) return;
    const shape = shapeOf(map);
    const scanner = compileRowScanner(shape);
    const { data, before, after } = event;
    const rows = scanner.countRows(data, before, after, event.partialJson);
    let at = 0;
    for (let row = 0; row < rows; row++)
      for (const [image, present] of [before, after].entries()) {
        if (present === null) continue;
        const partial = event.partialJson && image === 1;
        at = partial
          ? scanner.scanPartial(data, at, data.length, present)
          : scanner.scan(data, at, data.length, present);
        shape.columns.forEach((column, i) => {
          const length = scanner.lengths[i] ?? -1;
          const offset = scanner.offsets[i] ?? 0;
          if (length < 0) return;
          expect(offset + length).toBeLessThanOrEqual(data.length);
          this.#sink.reset();
          this.values += 1;
          if (scanner.partial[i] === 1) {
            const diffs = data.subarray(offset, offset + length);
            parseJsonDiffs(diffs);
            survives(() => applyJsonDiffs(EMPTY_OBJECT, diffs));
            return;
          }
          writeValueText(this.#sink, column, data, offset, length);
          writeLiteral(this.#sink, column, data, offset, length);
        });
      }
  }
}

/** Runs `act`; anything but a HoltError fails the test. */
function survives(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (!(error instanceof HoltError)) throw error;
    expect(error.code).toMatch(/^HOLT_(EVENT|ROW|VALUE|JSON_DIFF)_/);
    return false;
  }
}

const changes = fc.array(
  fc.record({
    at: fc.nat(),
    kind: fc.constantFrom('set', 'flip', 'cut', 'insert'),
    byte: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 250, 251, 252, 253, 254, 255)),
  }),
  { minLength: 1, maxLength: 5 },
);

function damaged(event: Buffer, list: readonly { at: number; kind: string; byte: number }[]): Buffer {
  let body = Buffer.from(event.subarray(19, -4));
  for (const { at, kind, byte } of list) {
    const place = body.length === 0 ? 0 : at % body.length;
    if (kind === 'cut') body = body.subarray(0, place);
    else if (kind === 'insert')
      body = Buffer.concat([body.subarray(0, place), Buffer.from([byte]), body.subarray(place)]);
    else if (body.length > 0)
      body.writeUInt8(kind === 'set' ? byte : body.readUInt8(place) ^ (1 << (byte & 7)), place);
  }
  const whole = Buffer.concat([event.subarray(0, 19), body, Buffer.alloc(4)]);
  whole.writeUInt32LE(whole.length, 9);
  return resummed(whole);
}

describe.each(logs)('the log $name', ({ description, events }) => {
  it('decodes to the last value', () => {
    const decoder = new EventDecoder();
    const consumer = new Consumer();
    for (const event of events) consumer.take(decoder.decode(event));
    expect(consumer.values).toBeGreaterThan(100);
  });

  it('gives coded errors and no others when events are damaged, checksums being right', () => {
    const index = fc.nat(events.length - 1);
    fc.assert(
      fc.property(index, changes, fc.boolean(), (at, list, inMap) => {
        const decoder = new EventDecoder({ maxEventBytes: 4_000_000 });
        const consumer = new Consumer();
        decoder.decode(description);
        // Rows want the map before them: either of the two is damaged.
        const before = events[at - 1];
        if (before?.[4] === 19) {
          survives(() => consumer.take(decoder.decode(inMap ? damaged(before, list) : before)));
          const rows = events[at] ?? before;
          survives(() => consumer.take(decoder.decode(inMap ? rows : damaged(rows, list))));
        } else survives(() => consumer.take(decoder.decode(damaged(events[at] ?? description, list))));
      }),
      { numRuns: 1200 },
    );
  });

  it('gives coded errors when headers are damaged', () => {
    fc.assert(
      fc.property(fc.nat(events.length - 1), fc.nat(18), fc.nat(255), (at, place, byte) => {
        const decoder = new EventDecoder({ maxEventBytes: 4_000_000 });
        decoder.decode(description);
        const event = Buffer.from(events[at] ?? description);
        event.writeUInt8(byte, place);
        survives(() => new Consumer().take(decoder.decode(resummed(event))));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('bytes of no sense', () => {
  it('are refused by every decoder', () => {
    fc.assert(
      fc.property(
        fc.nat(255),
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(logs.length - 1),
        (code, body, log) => {
          const decoder = new EventDecoder({ maxEventBytes: 1_000_000 });
          decoder.decode(logs[log]?.description ?? Buffer.alloc(0));
          const event = Buffer.concat([Buffer.alloc(19), body, Buffer.alloc(4)]);
          event.writeUInt8(code, 4);
          event.writeUInt32LE(event.length, 9);
          survives(() => new Consumer().take(decoder.decode(resummed(event))));
        },
      ),
      { numRuns: 1200 },
    );
  });
});
