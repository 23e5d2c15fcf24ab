import { afterEach, describe, expect, it } from 'vitest';
import type { CanalReader, ReaderOptions } from '../../../../canal/canal.ts';
import { waitFor } from '../../../../lib/abort.ts';
import type { Clock } from '../../../../lib/clock.ts';
import { type Deferred, deferred } from '../../../../lib/deferred.ts';
import { HoltError } from '../../../../lib/errors.ts';
import type { BatchHeader } from '../../../../model/batch.ts';
import type { PipelineConfig } from '../../../../model/config.ts';
import {
  channelId,
  dataSourceId,
  type NodeId,
  newTenure,
  pipelineId,
  siteId,
} from '../../../../model/ids.ts';
import type { BinlogCoordinates, Position, PositionText } from '../../../../model/position.ts';
import { RunningPosition } from '../../../../model/running-position.ts';
import type { SourceItem } from '../../../../model/source-item.ts';
import { type EmptyAdvance, Selector, type SelectorOptions } from '../../../../stages/select/selector.ts';
import { ItemScript, SOURCE_UUID, sourceRows } from './item-script.ts';

const START: Position = { text: 'mysql:' as PositionText, at: null, lastEvent: null };
const upTo = (n: number): string => `mysql:${SOURCE_UUID}:1${n > 1 ? `-${n}` : ''}`;

/** A reader whose items are put in by the test. */
class ScriptedReader implements CanalReader {
  readonly running = RunningPosition.from(START);
  readonly #items: (SourceItem | HoltError)[] = [];
  #waiting: Deferred<void> | null = null;
  taken = 0;
  acked = 0;
  isClosed = false;
  passed: BinlogCoordinates | null = null;

  put(...items: (SourceItem | HoltError)[]): void {
    this.#items.push(...items);
    this.#waiting?.resolve();
  }

  get hasNext(): boolean {
    return this.#items.length > 0;
  }

  get position(): Position {
    return this.running.position;
  }

  take(): SourceItem | null {
    const item = this.#items.shift();
    if (item === undefined) return null;
    if (item instanceof HoltError) throw item;
    this.taken += 1;
    return item;
  }

  async next(signal: AbortSignal): Promise<SourceItem> {
    for (;;) {
      const item = this.take();
      if (item !== null) return item;
      this.#waiting = deferred<void>();
      const onAbort = () => this.#waiting?.reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      await this.#waiting.promise;
    }
  }

  ack(): void {
    this.acked = this.taken;
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

/** Time moves only when the test says so. */
class ManualClock implements Clock {
  #now = 1_000_000;
  #sleepers: { readonly at: number; readonly done: () => void }[] = [];

  nowMs(): number {
    return this.#now;
  }

  monotonicMs(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#sleepers.push({ at: this.#now + ms, done: resolve });
    });
  }

  forward(ms: number): void {
    this.#now += ms;
    const due = this.#sleepers.filter((one) => one.at <= this.#now);
    this.#sleepers = this.#sleepers.filter((one) => one.at > this.#now);
    for (const one of due) one.done();
  }
}

const PIPELINE: PipelineConfig = {
  name: pipelineId('east-to-west'),
  channel: channelId('c'),
  source: dataSourceId('east-db'),
  target: dataSourceId('west-db'),
  sourceSite: siteId('east'),
  targetSite: siteId('west'),
  origins: [siteId('east')],
  start: null,
  onTableError: 'stop',
  tables: { include: ['shop.*'], exclude: [] },
  rules: [],
  batch: { maxRows: 5, maxBytes: 100_000, partBytes: 100_000, window: 2 },
  conflict: { detect: false, winner: siteId('east') },
  pipe: { kind: 'node' },
  largeTransactions: 'whole',
  ddl: { default: 'stop', kinds: {} },
};

class Bench {
  readonly reader = new ScriptedReader();
  readonly clock = new ManualClock();
  readonly script = new ItemScript();
  readonly headers: BatchHeader[] = [];
  readonly advances: EmptyAdvance[] = [];
  readonly opened: ReaderOptions[] = [];
  readonly window: {
    inFlight: number;
    places: number;
    paceMs: number;
    readonly isEmpty: boolean;
    hasRoom(): boolean;
  };
  readonly selector: Selector;
  readonly ended: Promise<unknown>;
  emit: (header: BatchHeader) => Promise<void> = async () => {};
  advance: () => Promise<void> = async () => {};

  constructor(change: Partial<SelectorOptions> = {}) {
    this.window = {
      inFlight: 0,
      paceMs: 0,
      places: 2,
      get isEmpty() {
        return this.inFlight === 0;
      },
      hasRoom() {
        return this.inFlight < this.places;
      },
    };
    this.selector = new Selector({
      pipeline: PIPELINE,
      configVersion: 3,
      cluster: 'c',
      reign: { epoch: 2, tenure: newTenure(), seq: 10n, position: START },
      engine: {
        source: { flavour: 'mysql', version: '9.7', identity: 'server-1', serverId: 1, gtids: true },
        namesAreCaseSensitive: true,
        openReader: async (options) => {
          this.opened.push(options);
          return this.reader;
        },
      },
      window: this.window,
      place: ({ sha256, bytes }) => ({
        kind: 'node',
        node: 'n' as NodeId,
        site: siteId('east'),
        address: 'http://n',
        sha256,
        bytes,
      }),
      emit: async ({ header }) => {
        this.window.inFlight += 1;
        this.headers.push(header);
        await this.emit(header);
      },
      emptyAdvance: async (advance) => {
        this.advances.push(advance);
        await this.advance();
      },
      clock: this.clock,
      ...change,
    });
    this.ended = this.selector.run().then(
      () => 'stopped',
      (error: unknown) => error,
    );
  }

  /** Frees places in the window, as receipts do. */
  receive(batches = 1): void {
    this.window.inFlight -= batches;
    this.selector.poke();
  }

  until(what: string, probe: () => boolean): Promise<unknown> {
    return waitFor(probe, { timeoutMs: 5_000, pollMs: 1, what });
  }

  /** Lets everything happen that can. */
  async settle(): Promise<void> {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  }
}

let bench: Bench;
afterEach(() => bench.selector.stop());

describe('Selector', () => {
  it('reads from the reign’s position what the pipeline carries', async () => {
    bench = new Bench({ readFrom: 'server-0' });
    await bench.settle();
    expect(bench.opened[0]).toMatchObject({ name: 'east-to-west', start: START, readFrom: 'server-0' });
    expect(bench.opened[0]?.wants('shop', 't')).toBe(true);
    expect(bench.opened[0]?.wants('other', 't')).toBe(false);
  });

  it('moves single transactions at once while idle, numbered on from the row', async () => {
    bench = new Bench();
    bench.reader.put(bench.script.rows());
    await bench.until('a batch', () => bench.headers.length === 1);
    bench.receive();
    bench.reader.put(bench.script.rows());
    await bench.until('another', () => bench.headers.length === 2);
    expect(bench.headers.map((one) => [one.seq, one.epoch, one.start, one.end, one.transactions])).toEqual([
      ['11', 2, 'mysql:', upTo(1), 1],
      ['12', 2, upTo(1), upTo(2), 1],
    ]);
    expect(bench.headers[0]).toMatchObject({
      source: 'server-1',
      origin: 'east',
      configVersion: 3,
      endFile: 'binlog.000001',
      endOffset: 1004,
      payload: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(bench.reader.acked).toBe(2);
  });

  it('keeps batches apart over a long link, without an event to wake it', async () => {
    bench = new Bench();
    bench.window.places = 9;
    bench.window.paceMs = 80;
    for (const [sent, transactions] of [
      [1, 1],
      [2, 1],
      [2, 3],
    ] as const) {
      bench.reader.put(...Array.from({ length: transactions }, () => bench.script.rows()));
      await bench.until(`${sent} batches`, () => bench.headers.length === sent);
      await bench.settle();
    }
    expect(bench.headers.length).toBe(2);
    bench.clock.forward(80);
    await bench.until('the third', () => bench.headers.length === 3);
    expect(bench.headers[2]?.transactions).toBe(3);
  });

  it('grows the pending batch while the window is full, to its limit, and then reads no further', async () => {
    bench = new Bench();
    bench.window.places = 0;
    bench.reader.put(...Array.from({ length: 20 }, () => bench.script.rows()));
    await bench.until('a full batch', () => bench.selector.status.pendingRows === 5);
    await bench.settle();
    expect(bench.headers).toEqual([]);
    // Five in the batch, and one at hand that did not fit.
    expect([bench.reader.taken, bench.reader.acked]).toEqual([6, 5]);
    bench.window.places = 1;
    bench.selector.poke();
    await bench.until('the batch', () => bench.headers.length === 1);
    expect(bench.headers[0]).toMatchObject({ transactions: 5, rows: 5, end: upTo(5) });
    await bench.until('the next', () => bench.selector.status.pendingRows === 5);
  });

  it('all parts of a large transaction share one number', async () => {
    bench = new Bench();
    bench.window.places = 10;
    const part = (n: number, lastPart: boolean) =>
      bench.script.rows({ part: n, lastPart, rows: [sourceRows('shop', 't', [n])] });
    bench.reader.put(bench.script.rows(), part(0, false), part(1, false), part(2, true), bench.script.rows());
    await bench.until('five batches', () => bench.headers.length === 5);
    expect(bench.headers.map((one) => [one.seq, one.part, one.lastPart])).toEqual([
      ['11', 0, true],
      ['12', 0, false],
      ['12', 1, false],
      ['12', 2, true],
      ['13', 0, true],
    ]);
  });

  it('stops at DDL on a replicated table, after what was read before has arrived', async () => {
    bench = new Bench();
    bench.reader.put(bench.script.rows(), bench.script.statement('DROP TABLE t'), bench.script.rows());
    await bench.until('the batch before', () => bench.headers.length === 1);
    await bench.settle();
    expect(bench.selector.status.pausing?.code).toBe('HOLT_DDL_ON_REPLICATED_TABLE');
    expect(bench.reader.isClosed).toBe(false);
    bench.receive();
    expect(await bench.ended).toMatchObject({
      code: 'HOLT_DDL_ON_REPLICATED_TABLE',
      disposition: 'pause',
      facts: { position: upTo(1), behind: upTo(2) },
    });
    expect(bench.headers).toHaveLength(1);
    expect(bench.reader.isClosed).toBe(true);
  });

  it('ends at once with what asks for a rewind', async () => {
    bench = new Bench();
    bench.reader.put(bench.script.rows({ part: 0, lastPart: false }));
    await bench.until('the part', () => bench.headers.length === 1);
    bench.reader.put({ kind: 'interrupted', bytes: 0 });
    expect(await bench.ended).toMatchObject({ code: 'HOLT_SOURCE_INTERRUPTED', disposition: 'rewind' });
  });

  it('ends with an error of the reader, and of publishing', async () => {
    bench = new Bench();
    bench.reader.put(new HoltError('HOLT_SOURCE_CHANGED', 'x', { disposition: 'rewind' }));
    expect(await bench.ended).toMatchObject({ code: 'HOLT_SOURCE_CHANGED' });
    bench = new Bench();
    bench.emit = () => Promise.reject(new HoltError('HOLT_EPOCH_SUPERSEDED', 'x', { disposition: 'retry' }));
    bench.reader.put(bench.script.rows());
    expect(await bench.ended).toMatchObject({ code: 'HOLT_EPOCH_SUPERSEDED' });
  });

  it('has one publication under way at a time, and reads on meanwhile', async () => {
    bench = new Bench();
    const published = deferred<void>();
    bench.emit = () => published.promise;
    bench.reader.put(bench.script.rows());
    await bench.until('the first', () => bench.headers.length === 1);
    bench.reader.put(bench.script.rows(), bench.script.rows());
    await bench.until('reading', () => bench.selector.status.pendingRows === 2);
    expect(bench.headers).toHaveLength(1);
    published.resolve();
    await bench.until('the second', () => bench.headers.length === 2);
  });

  it('has read what it has taken, and behind it what is no transaction', async () => {
    bench = new Bench();
    bench.reader.put(bench.script.rows());
    await bench.until('the first', () => bench.headers.length === 1);
    const end = { file: 'binlog.000001', offset: 1_004 };
    expect(bench.selector.reading.at).toEqual(end);
    bench.reader.passed = { file: 'binlog.000002', offset: 256 };
    expect(bench.selector.reading.at).toEqual(bench.reader.passed);
    // Of a feed that begins anew before what was read.
    bench.reader.passed = { file: 'binlog.000001', offset: 500 };
    expect(bench.selector.reading.at).toEqual(end);
    // A schema change that waits for the batch before it is not taken.
    bench.reader.passed = { file: 'binlog.000001', offset: 2_204 };
    bench.window.places = 0;
    bench.reader.put(bench.script.rows(), bench.script.statement('ALTER TABLE shop.t ADD c INT'));
    await bench.until('the statement to wait', () => bench.reader.taken === 3);
    await bench.settle();
    expect(bench.selector.reading.at).toEqual({ file: 'binlog.000001', offset: 2_004 });
  });

  it('advances over what it passes only with an empty window and in its time, and forms no batch meanwhile', async () => {
    bench = new Bench();
    bench.reader.put(bench.script.rows());
    await bench.until('a batch', () => bench.headers.length === 1);
    bench.reader.put(bench.script.rows({ rows: [] }));
    await bench.until('reading', () => bench.reader.acked === 2);
    bench.clock.forward(20_000);
    await bench.settle();
    expect(bench.advances).toEqual([]);
    const answered = deferred<void>();
    bench.advance = () => answered.promise;
    bench.receive();
    await bench.until('the advance', () => bench.advances.length === 1);
    expect(bench.advances[0]).toMatchObject({ seq: 12n, start: upTo(1), end: { text: upTo(2) } });
    bench.reader.put(bench.script.rows());
    await bench.settle();
    expect(bench.headers).toHaveLength(1);
    answered.resolve();
    await bench.until('the next batch', () => bench.headers.length === 2);
    expect(bench.headers[1]).toMatchObject({ seq: '13', start: upTo(2), end: upTo(3) });
  });

  it('wakes by itself when an advance is due, and ends when its answer is lost', async () => {
    bench = new Bench();
    bench.advance = () => Promise.reject(new HoltError('HOLT_LOST', 'x', { disposition: 'rewind' }));
    bench.reader.put(bench.script.rows({ rows: [] }));
    await bench.until('reading', () => bench.reader.acked === 1);
    await bench.settle();
    bench.clock.forward(9_000);
    await bench.settle();
    expect(bench.advances).toHaveLength(0);
    bench.clock.forward(1_001);
    expect(await bench.ended).toMatchObject({ code: 'HOLT_LOST' });
  });

  it('stops at once, forgets what is pending, and closes its reader', async () => {
    bench = new Bench();
    bench.window.places = 0;
    bench.reader.put(bench.script.rows());
    await bench.until('reading', () => bench.selector.status.pendingRows === 1);
    await bench.selector.stop();
    expect(await bench.ended).toBe('stopped');
    expect(bench.headers).toEqual([]);
    expect(bench.reader.isClosed).toBe(true);
  });
});

describe('a schema change', () => {
  const pipeline: PipelineConfig = { ...PIPELINE, ddl: { default: 'replicate', kinds: {} } };

  it('is a barrier: it goes when all before it has arrived, and all after it when it has', async () => {
    bench = new Bench({ pipeline });
    const { reader, script, headers } = bench;
    reader.put(script.rows(), script.statement('ALTER TABLE t ADD c INT'), script.rows());
    await bench.until('the rows before', () => headers.length === 1);
    await bench.settle();
    expect(headers).toHaveLength(1);
    bench.receive();
    await bench.until('the schema change', () => headers.length === 2);
    await bench.settle();
    expect(headers[1]).toMatchObject({ ddl: 'alter-table', rows: 0, seq: '12' });
    expect(headers).toHaveLength(2);
    bench.receive();
    await bench.until('the rows after', () => headers.length === 3);
    expect(headers[0]?.afterDdl).toBeUndefined();
    expect(headers[2]).toMatchObject({ afterDdl: '12', seq: '13' });
  });
});
