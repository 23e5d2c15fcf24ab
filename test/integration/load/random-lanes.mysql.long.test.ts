/**
 * Everything at once, with parallel lanes: reigns begin while others still load, loaders with another number of lanes take the run from
 * each other, connections of lanes are cut and killed at any moment. Repeats, gaps and changes out of order show in the tables.
 */
import { expect, it } from 'vitest';
import { systemClock } from '../../../lib/clock.ts';
import type { TransformedBatch } from '../../../stages/stage.ts';
import type { DatabaseFlavour } from '../../support/database.ts';
import { Random } from '../../support/random.ts';
import { describeDatabase } from '../../support/shared-servers.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import { LanedPipeline, placeOf } from './lanes-fixture.ts';
import type { RaisedReign } from './load-fixture.ts';
import { dataSourceOf } from './target-fixture.ts';

const FLAVOURS: readonly DatabaseFlavour[] = ['mariadb', 'mysql', 'mysql56'];
const RUN_MS = 5000;
/** A busy machine gets more time until as many batches have been applied. */
const MOST_MS = 40_000;
const ENOUGH = 25;
const MOST_LANES = 4;

interface Known {
  readonly reign: RaisedReign;
  readonly batches: TransformedBatch[];
}

class Scene {
  readonly laned: LanedPipeline;
  readonly proxy: TcpProxy;
  readonly random: () => number;
  readonly reigns: Known[] = [];
  readonly counts: Record<string, number> = {};
  over = false;

  constructor(laned: LanedPipeline, proxy: TcpProxy, random: () => number) {
    this.laned = laned;
    this.proxy = proxy;
    this.random = random;
  }

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  below(n: number): number {
    return Math.floor(this.random() * n);
  }

  cut(reign: RaisedReign): Known {
    const batches: TransformedBatch[] = [];
    for (let from = placeOf(reign), seq = Number(reign.seq) + 1; batches.length < 40; seq++) {
      const to = from + 1 + this.below(12);
      batches.push(this.laned.batch(reign, seq, from, to));
      from = to;
    }
    return { reign, batches };
  }

  get target() {
    return dataSourceOf(this.laned.db, { port: this.proxy.port, connectTimeoutMs: 2000 });
  }

  async mainstem(): Promise<void> {
    const raiser = this.laned.raiser(MOST_LANES, {
      target: this.target,
      node: `mainstem-${this.below(1000)}`,
    });
    while (!this.over) {
      const result = await this.laned.pipeline.takeOver(raiser).catch(() => null);
      this.count(result === null ? 'raise failed' : `raise ${result.kind}`);
      if (result?.kind === 'raised') this.reigns.push(this.cut(result));
      if (result?.kind === 'stop') throw result.error;
      await systemClock.sleep(this.below(1800));
    }
  }

  async loader(): Promise<void> {
    while (!this.over) {
      const back = this.random() < 0.2 ? 1 + this.below(2) : 0;
      const known = this.reigns[this.reigns.length - 1 - back];
      if (known === undefined) {
        await systemClock.sleep(10);
        continue;
      }
      const node = this.laned.node(this.below(MOST_LANES + 1), { target: this.target, tickMs: 300 });
      node.shares.before = () => (this.random() < 0.2 ? systemClock.sleep(this.below(40)) : undefined);
      await this.#loadWith(node, known).catch((error: unknown) => {
        if (!(error instanceof Error && error.message === 'given up')) throw error;
        this.count('given up');
      });
      await node.run.close();
    }
  }

  async #loadWith({ run, prepare }: ReturnType<LanedPipeline['node']>, { reign, batches }: Known) {
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(new Error('given up')), 50 + this.below(2000));
    try {
      const taken = await run.take(reign.tenure, reign.epoch, giveUp.signal);
      this.count(`take ${taken?.kind ?? 'taken'}`);
      if (taken !== null) return;
      if (run.ahead.length > 0) this.count('ahead');
      for (const batch of batches) {
        if (BigInt(batch.header.seq) < run.nextSeq - 1n) continue;
        const outcome = await run.load(await prepare(batch), giveUp.signal);
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
      if (this.random() < 0.3) {
        this.proxy.cut();
        continue;
      }
      const id = await this.laned.db.value(
        'SELECT connection_id FROM holt.writer WHERE pipeline = ? ORDER BY RAND() LIMIT 1',
        [this.laned.pipeline.name],
      );
      if (id !== undefined) await this.laned.db.query(`KILL ${id}`).catch(() => {});
    }
  }
}

describeDatabase(FLAVOURS, 'reigns, loaders and lanes at random', (context) => {
  it('apply every change once and in order', async () => {
    const seed = Number(process.env.HOLT_TEST_SEED ?? Date.now() % 1_000_000);
    const random = new Random(seed);
    const laned = await LanedPipeline.on(context);
    await using proxy = await TcpProxy.start({ target: context.db });
    const scene = new Scene(laned, proxy, () => random.next());
    const work = [
      scene.mainstem(),
      scene.mainstem(),
      scene.loader(),
      scene.loader(),
      scene.loader(),
      scene.mischief(),
    ];
    const failed = Promise.race(work.map((one) => one.then(() => new Promise<never>(() => {}))));
    const started = performance.now();
    const enough = () =>
      performance.now() - started >= RUN_MS && (scene.counts['load applied'] ?? 0) >= ENOUGH;
    while (!enough() && performance.now() - started < MOST_MS)
      await Promise.race([systemClock.sleep(100), failed]);
    scene.over = true;
    await Promise.all(work);

    // A last reign, without mischief, brings it to a known end, level.
    const reign = await laned.reign(MOST_LANES);
    const { run, prepare } = await laned.taken(reign, MOST_LANES);
    for (const batch of scene.cut(reign).batches.slice(0, 12))
      expect((await run.load(await prepare(batch), new AbortController().signal)).kind).toBe('applied');
    expect(run.ahead).toEqual([]);
    await run.close();
    const what = `seed ${seed}, ${JSON.stringify(scene.counts)}`;
    expect(await laned.tables(), what).toEqual(laned.expected(await laned.place()));
    expect(laned.ledgered, what).toEqual([]);
    if (process.env.HOLT_TEST_SEED !== undefined) process.stdout.write(`${what}\n`);
  }, 120_000);
});
