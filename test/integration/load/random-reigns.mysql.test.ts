/**
 * Everything at once: reigns begin while others still load, loaders take the run from each other, connections are cut and killed at
 * any moment, and whoever lost goes on trying. Change k inserts row k: a repeat is an error of the server, a gap is seen at the
 * end; and a reader that never stops sees a prefix of the source at every moment.
 */
import { expect, it } from 'vitest';
import { systemClock } from '../../../lib/clock.ts';
import type { BatchHeader } from '../../../model/batch.ts';
import type { TargetLoadRun } from '../../../stages/load/load-run.ts';
import type { RaiseResult } from '../../../stages/load/target/raise.ts';
import type { DatabaseFlavour } from '../../support/database.ts';
import { Random } from '../../support/random.ts';
import { describeDatabase } from '../../support/shared-servers.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import { at, noSignal, Pipeline, type RaisedReign, SqlApplier, type SqlBatch } from './load-fixture.ts';
import { dataSourceOf } from './target-fixture.ts';

const FLAVOURS: readonly DatabaseFlavour[] = ['mariadb', 'mysql', 'mysql56'];
const RUN_MS = 6000;
/** A busy machine gets more time until as many batches have been applied. */
const MOST_MS = 30_000;
const ENOUGH = 25;

/** The place in the source that a position stands for. */
function placeOf(reign: RaisedReign): number {
  return Number(reign.position.text.slice(reign.position.text.lastIndexOf('-') + 1));
}

class Scene {
  readonly pipeline: Pipeline;
  readonly proxy: TcpProxy;
  readonly random: () => number;
  /** Batches of each reign as its mainstem cuts them; the reign that rules is the last. */
  readonly reigns: { readonly reign: RaisedReign; readonly batches: SqlBatch[] }[] = [];
  readonly counts: Record<string, number> = {};
  over = false;

  constructor(pipeline: Pipeline, proxy: TcpProxy, random: () => number) {
    this.pipeline = pipeline;
    this.proxy = proxy;
    this.random = random;
  }

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  below(n: number): number {
    return Math.floor(this.random() * n);
  }

  /** Batches from a reign's position on, of 1 to 4 changes: never the same boundaries as in the reign before. */
  cut(reign: RaisedReign): SqlBatch[] {
    const batches: SqlBatch[] = [];
    for (let from = placeOf(reign), seq = Number(reign.seq) + 1; batches.length < 60; seq++) {
      const to = from + 1 + this.below(4);
      const header: Partial<BatchHeader> = { start: at(from).text, end: at(to).text };
      const sql = Array.from(
        { length: to - from },
        (_, i) => `INSERT INTO ${this.pipeline.table} VALUES (${from + i + 1}, 0)`,
      );
      batches.push(this.pipeline.batch(reign, seq, { header, sql }));
      from = to;
    }
    return batches;
  }

  async mainstem(): Promise<void> {
    const raiser = this.pipeline.raiser({
      target: dataSourceOf(this.pipeline.db, { port: this.proxy.port, connectTimeoutMs: 2000 }),
      node: `mainstem-${this.below(1000)}`,
    });
    while (!this.over) {
      await systemClock.sleep(this.below(1500));
      const result: RaiseResult | null = await this.pipeline.takeOver(raiser).catch(() => null);
      this.count(result === null ? 'raise failed' : `raise ${result.kind}`);
      if (result?.kind === 'raised') this.reigns.push({ reign: result, batches: this.cut(result) });
      if (result?.kind === 'stop') throw result.error;
    }
  }

  async loader(): Promise<void> {
    while (!this.over) {
      // Now and then one that has not heard of the last reigns.
      const back = this.random() < 0.2 ? 1 + this.below(2) : 0;
      const known = this.reigns[this.reigns.length - 1 - back];
      if (known === undefined) {
        await systemClock.sleep(10);
        continue;
      }
      const applier = new SqlApplier();
      applier.before = () => (this.random() < 0.1 ? systemClock.sleep(this.below(40)) : undefined);
      const { run } = this.pipeline.run({
        applier,
        target: dataSourceOf(this.pipeline.db, { port: this.proxy.port, connectTimeoutMs: 2000 }),
        tickMs: 300,
      });
      await this.#loadWith(run, known).catch((error: unknown) => {
        if (!(error instanceof Error && error.message === 'given up')) throw error;
        this.count('given up');
      });
      await run.close();
    }
  }

  async #loadWith(
    run: TargetLoadRun<SqlBatch>,
    known: { readonly reign: RaisedReign; readonly batches: SqlBatch[] },
  ) {
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(new Error('given up')), 50 + this.below(2000));
    try {
      const { reign } = known;
      const taken = await run.take(reign.tenure, reign.epoch, giveUp.signal);
      this.count(`take ${taken?.kind ?? 'taken'}`);
      if (taken !== null) return;
      for (const batch of known.batches) {
        if (BigInt(batch.batch.header.seq) < run.nextSeq - 1n) continue;
        const outcome = await run.load(batch, giveUp.signal);
        this.count(`load ${outcome.kind}`);
        if (outcome.kind !== 'applied' && outcome.kind !== 'repeat') return;
        if (this.random() < 0.02) return;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async mischief(): Promise<void> {
    while (!this.over) {
      await systemClock.sleep(50 + this.below(250));
      const what = this.below(3);
      if (what === 0) this.proxy.cut();
      else if (what === 1) {
        this.proxy.lose('down');
        await systemClock.sleep(this.below(30));
        this.proxy.heal();
        this.proxy.cut();
      } else {
        const id = await this.pipeline.db.value(
          'SELECT connection_id FROM holt.writer WHERE pipeline = ? ORDER BY RAND() LIMIT 1',
          [this.pipeline.name],
        );
        if (id !== undefined) await this.pipeline.db.query(`KILL ${id}`).catch(() => {});
      }
    }
  }

  /** Rows 1…n without a hole, at every moment. */
  async reader(): Promise<void> {
    let last = 0;
    while (!this.over) {
      const [row] = await this.pipeline.db.query<{ n: number; top: number | null }>(
        `SELECT COUNT(*) AS n, MAX(id) AS top FROM ${this.pipeline.table}`,
      );
      expect(row?.top ?? 0).toBe(row?.n);
      expect(row?.n).toBeGreaterThanOrEqual(last);
      last = row?.n ?? 0;
      await systemClock.sleep(5);
    }
  }
}

describeDatabase(FLAVOURS, 'reigns and loaders at random', (context) => {
  it('apply every change once and in order', async () => {
    const seed = Number(process.env.HOLT_TEST_SEED ?? Date.now() % 1_000_000);
    const random = new Random(seed);
    const pipeline = await Pipeline.on(context);
    await context.db.query(`DELETE FROM ${pipeline.table}`);
    await using proxy = await TcpProxy.start({ target: context.db });
    const scene = new Scene(pipeline, proxy, () => random.next());
    const work = [
      scene.mainstem(),
      scene.mainstem(),
      scene.loader(),
      scene.loader(),
      scene.loader(),
      scene.mischief(),
      scene.reader(),
    ];
    const failed = Promise.race(work.map((one) => one.then(() => new Promise<never>(() => {}))));
    const started = performance.now();
    const enough = () =>
      performance.now() - started >= RUN_MS && (scene.counts['load applied'] ?? 0) >= ENOUGH;
    while (!enough() && performance.now() - started < MOST_MS)
      await Promise.race([systemClock.sleep(100), failed]);
    scene.over = true;
    await Promise.all(work);

    // A last reign, without mischief, brings it to a known end.
    const reign = await pipeline.reign();
    const { run } = await pipeline.taken(reign);
    for (const batch of scene.cut(reign).slice(0, 5))
      expect((await run.load(batch, noSignal)).kind).toBe('applied');
    await run.close();
    const place = Number((await pipeline.positionNow()).split('-').at(-1));
    const ids = (await context.db.query<{ id: number }>(`SELECT id FROM ${pipeline.table} ORDER BY id`)).map(
      ({ id }) => id,
    );
    expect(ids, `seed ${seed}, ${JSON.stringify(scene.counts)}`).toEqual(
      Array.from({ length: place }, (_, i) => i + 1),
    );
    // It was no idle run.
    expect(scene.counts['load applied'] ?? 0, JSON.stringify(scene.counts)).toBeGreaterThan(5);
  }, 90_000);
});
