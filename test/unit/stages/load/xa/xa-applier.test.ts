import { describe, expect, it } from 'vitest';
import { PayloadReader, PayloadWriter } from '../../../../../model/payload.ts';
import type { TableShape } from '../../../../../model/table-shape.ts';
import type { ApplyResult, BatchApplier, PreparedBatch } from '../../../../../stages/load/load.ts';
import type { TargetConnection } from '../../../../../stages/load/target/target-connection.ts';
import { XaApplier } from '../../../../../stages/load/xa/xa-applier.ts';
import type { TransformedBatch } from '../../../../../stages/stage.ts';
import { headerOf } from '../../../../support/batch-header.ts';

const SHAPES = ['t', 'u'].map(
  (table): TableShape => ({ schema: 's', table, columns: [], key: [], hasPrimaryKey: false }),
);
const signal = new AbortController().signal;

/** Writes down what it is asked for. */
class Recorder implements BatchApplier {
  readonly log: string[] = [];

  async prepare(batch: TransformedBatch): Promise<PreparedBatch> {
    this.log.push(`prepare ${rowsOf(batch)}`);
    return { batch, bytes: batch.payload.length };
  }

  execute({ batch }: PreparedBatch): Promise<ApplyResult> {
    return this.#done(`execute ${rowsOf(batch)}`);
  }

  executeCarefully({ batch }: PreparedBatch): Promise<ApplyResult> {
    return this.#done(`carefully ${rowsOf(batch)}`);
  }

  async #done(what: string): Promise<ApplyResult> {
    this.log.push(what);
    return {
      rows: 1,
      inserted: 1,
      updated: 0,
      deleted: 0,
      statements: 1,
      ledgered: 0,
      careful: what.startsWith('c'),
    };
  }
}

/** Target tables and bytes of the rows, in order. */
function rowsOf(batch: TransformedBatch): string {
  const reader = new PayloadReader(batch.payload);
  const seen: string[] = [];
  for (let record = reader.next(); record !== null; record = reader.next())
    if (record === 'rows')
      seen.push(`${batch.routes[reader.table]?.name}${reader.bytes[reader.dataStart]}@${reader.gtid}`);
  return seen.join(' ');
}

/** `holt.held` as far as the statements that come need it. */
class HeldTable implements TargetConnection {
  readonly threadId = 1;
  readonly usable = true;
  readonly log: string[];
  #rows: { readonly id: number; readonly subject: string; readonly values: readonly string[] }[] = [];
  #lastId = 0;

  constructor(log: string[]) {
    this.log = log;
  }

  async execute(statement: Buffer | string) {
    const sql = String(statement);
    if (sql.startsWith('INSERT')) {
      const values = /VALUES \((.*)\)$/.exec(sql)?.[1]?.split(', ') ?? [];
      this.#lastId += 1;
      this.#rows.push({ id: this.#lastId, subject: values[2] ?? '', values });
      this.log.push(`hold ${textOf(values[2])}`);
      return { affectedRows: 1, warningCount: 0, info: '' };
    }
    const subject = /subject = (x'[0-9a-f]*')/.exec(sql)?.[1] ?? '';
    const before = this.#rows.length;
    this.#rows = this.#rows.filter((row) => row.subject !== subject);
    this.log.push(`drop ${textOf(subject)} (${before - this.#rows.length})`);
    return { affectedRows: before - this.#rows.length, warningCount: 0, info: '' };
  }

  async rows(statement: Buffer | string): Promise<(Buffer | null)[][]> {
    const sql = String(statement);
    const subject = /subject = (x'[0-9a-f]*')/.exec(sql)?.[1];
    const after = Number(/id > ([0-9]+)/.exec(sql)?.[1]);
    const found = this.#rows.find((row) => row.subject === subject && row.id > after);
    if (found === undefined) return [];
    const [, , , seq, origin, piece, lastPiece, , , committedUs, payload] = found.values;
    const text = (value = '') => Buffer.from(value);
    return [
      [
        text(String(found.id)),
        ...[text(piece), text(lastPiece), text(seq), bytesOf(origin), text(committedUs), bytesOf(payload)],
      ],
    ];
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  destroy(): void {}
}

function bytesOf(literal = ''): Buffer {
  return Buffer.from(/^x'(.*)'$/.exec(literal)?.[1] ?? '', 'hex');
}

const textOf = (literal: string | undefined): string => bytesOf(literal).toString();

function setUp() {
  const inner = new Recorder();
  const connection = new HeldTable(inner.log);
  const applier = new XaApplier({
    inner,
    route: (shape, table) => ({ table, schema: 'target', name: `${shape.table}-now-`, columns: [] }),
  });
  const apply = async (write: (writer: PayloadWriter) => void, careful = false): Promise<ApplyResult> => {
    const writer = new PayloadWriter();
    write(writer);
    const payload = writer.finish();
    const routes = [0, 1].map((table) => ({
      table,
      schema: 'x',
      name: `${SHAPES[table]?.table}`,
      columns: [],
    }));
    const prepared = await applier.prepare({ header: headerOf({}), payload, routes }, signal);
    return careful
      ? applier.executeCarefully(prepared, connection, signal)
      : applier.execute(prepared, connection, signal);
  };
  return { log: inner.log, apply };
}

function row(writer: PayloadWriter, data: number, table = 0): void {
  const shape = SHAPES[table];
  if (shape === undefined) throw new Error('no table');
  writer.rawRows(shape, 'insert', 1, 1, null, Uint8Array.of(1), Buffer.from([data]), 0, 1);
}

describe('XA at Load', () => {
  it('a batch without XA goes on as it came', async () => {
    const { log, apply } = setUp();
    await apply((writer) => {
      writer.transaction(1, 'g1');
      row(writer, 1);
    });
    expect(log).toEqual(['prepare t1@g1', 'execute t1@g1']);
  });

  it('writes what commits where it commits, by the mapping of then', async () => {
    const { log, apply } = setUp();
    await apply((writer) => {
      writer.transaction(1, 'g1');
      row(writer, 1);
      writer.xaBody('a', true, 2, 'g2');
      row(writer, 2, 1);
    });
    expect(log.splice(0)).toEqual(['prepare t-now-1@g1', 'execute t-now-1@g1', 'drop a (0)', 'hold a']);
    const result = await apply((writer) => {
      writer.transaction(3, 'g3');
      row(writer, 3);
      writer.xaOutcome('a', 'commit', 4, 'g4');
      writer.transaction(5, 'g5');
      row(writer, 5);
    });
    expect(log).toEqual([
      'prepare t-now-3@g3',
      'prepare t-now-5@g5',
      'execute t-now-3@g3',
      'prepare u-now-2@g2',
      'execute u-now-2@g2',
      'drop a (1)',
      'execute t-now-5@g5',
    ]);
    expect(result).toMatchObject({ rows: 3, inserted: 3, careful: false });
  });

  it('goes on with a body in parts, and forgets what an older one of that id left', async () => {
    const { log, apply } = setUp();
    const part = (first: boolean, data: number) =>
      apply((writer) => {
        writer.xaBody('a', first, 1, 'g');
        row(writer, data);
      });
    await part(true, 1);
    await part(true, 2);
    await part(false, 3);
    expect(log.splice(0)).toEqual(['drop a (0)', 'hold a', 'drop a (1)', 'hold a', 'hold a']);
    const result = await apply((writer) => writer.xaOutcome('a', 'commit', 4, 'g4'), true);
    expect(log).toEqual([
      'prepare t-now-2@g',
      'carefully t-now-2@g',
      'prepare t-now-3@g',
      'carefully t-now-3@g',
      'drop a (2)',
    ]);
    expect(result.careful).toBe(true);
  });

  it('drops what is rolled back, also when nothing is held', async () => {
    const { log, apply } = setUp();
    await apply((writer) => {
      writer.xaBody('a', true, 1, 'g');
      row(writer, 1);
      writer.xaOutcome('a', 'rollback', 2, 'g2');
      writer.xaOutcome('b', 'rollback', 3, 'g3');
    });
    expect(log).toEqual(['drop a (0)', 'hold a', 'drop a (1)', 'drop b (0)']);
  });

  it('a commit without a body stops; an empty body is one', async () => {
    const { log, apply } = setUp();
    await expect(apply((writer) => writer.xaOutcome('a', 'commit', 1, 'g'))).rejects.toMatchObject({
      code: 'HOLT_XA_BODY_MISSING',
      disposition: 'pause',
      remedy: expect.stringContaining(headerOf({}).end),
    });
    await apply((writer) => writer.xaBody('a', true, 1, 'g'));
    await apply((writer) => writer.xaOutcome('a', 'commit', 1, 'g'));
    expect(log).toEqual(['drop a (0)', 'hold a', 'drop a (1)']);
  });
});
