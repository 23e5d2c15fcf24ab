import { expect, it } from 'vitest';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import { describeDatabase } from '../../support/shared-servers.ts';
import { mysqlPackets, type Packet, TcpProxy } from '../../support/tcp-proxy.ts';
import { at, kindOf, noSignal, Pipeline } from './load-fixture.ts';
import { dataSourceOf } from './target-fixture.ts';

const COM_QUERY = 3;

function isCommit({ direction, bytes }: Packet): boolean {
  return direction === 'up' && bytes[4] === COM_QUERY && bytes.subarray(5).toString('latin1') === 'COMMIT';
}

/** Counts COMMITs from `armed` on; the verdict is asked for the first of them and for its reply. */
function onCommit(
  proxy: TcpProxy,
  verdicts: { readonly request: 'pass' | 'drop' | 'cut'; readonly reply: 'drop' | 'cut' },
): void {
  let connection: number | null = null;
  let done = false;
  proxy.onPacket = (packet) => {
    if (!done && isCommit(packet)) {
      done = true;
      connection = packet.connection;
      return verdicts.request;
    }
    if (connection === packet.connection && packet.direction === 'down') return verdicts.reply;
    return 'pass';
  };
}

describeDatabase(DATABASE_FLAVOURS, 'a COMMIT without an answer', (context) => {
  const cases = [
    ['was done: the link is cut before the reply', { request: 'pass', reply: 'cut' }],
    ['was not done: the link is cut before the request', { request: 'cut', reply: 'cut' }],
    ['was done: the reply vanishes and the link stays', { request: 'pass', reply: 'drop' }],
    ['was not done: the request vanishes and the link stays', { request: 'drop', reply: 'drop' }],
  ] as const;
  for (const [title, verdicts] of cases)
    it(`${title}; the batch is applied once`, async () => {
      const pipeline = await Pipeline.on(context);
      const reign = await pipeline.reign();
      await using proxy = await TcpProxy.start({ target: context.db, framing: mysqlPackets });
      const { run, applier } = await pipeline.taken(reign, {
        target: dataSourceOf(context.db, { port: proxy.port }),
        tickMs: 200,
      });
      expect(kindOf(await run.load(pipeline.batch(reign, 1), noSignal))).toBe('applied');
      onCommit(proxy, verdicts);
      expect(await run.load(pipeline.batch(reign, 2), noSignal)).toMatchObject({
        kind: 'applied',
        receipt: { seq: '2', end: at(2).text },
      });
      expect(await pipeline.values()).toEqual([2, 0]);
      expect(await pipeline.seq()).toBe(2);
      // Done again exactly where it was not done.
      expect(applier.sent).toHaveLength(verdicts.request === 'pass' ? 2 : 3);
      expect(kindOf(await run.load(pipeline.batch(reign, 3), noSignal))).toBe('applied');
      expect(await pipeline.values()).toEqual([3, 0]);
      await run.close();
    });

  it('of a transaction in parts is found out, too', async () => {
    for (const [verdicts, expected] of [
      [{ request: 'pass', reply: 'cut' }, 'applied'],
      [{ request: 'cut', reply: 'cut' }, 'rewind'],
    ] as const) {
      const pipeline = await Pipeline.on(context);
      const reign = await pipeline.reign();
      await using proxy = await TcpProxy.start({ target: context.db, framing: mysqlPackets });
      const { run } = await pipeline.taken(reign, { target: dataSourceOf(context.db, { port: proxy.port }) });
      const part = (number: number, lastPart: boolean) =>
        pipeline.batch(reign, 1, { header: { part: number, lastPart } });
      expect(await run.loadPart(part(0, false), noSignal)).toBe(null);
      onCommit(proxy, verdicts);
      expect(kindOf(await run.loadPart(part(1, true), noSignal))).toBe(expected);
      expect(await pipeline.values()).toEqual(expected === 'applied' ? [2, 0] : [0, 0]);
      await run.close();
    }
  });

  it('of a raise is raised once more, by the same mainstem', async () => {
    for (const verdicts of [
      { request: 'pass', reply: 'cut' },
      { request: 'cut', reply: 'cut' },
    ] as const) {
      const pipeline = await Pipeline.on(context);
      await pipeline.reign();
      await using proxy = await TcpProxy.start({ target: context.db, framing: mysqlPackets });
      const raiser = pipeline.raiser({ target: dataSourceOf(context.db, { port: proxy.port }) });
      // The first COMMIT is that of the registration: let the second one be the raise's.
      let commits = 0;
      proxy.onPacket = (packet) => {
        if (isCommit(packet) && ++commits === 2) {
          onCommit(proxy, verdicts);
          return proxy.onPacket?.(packet) ?? 'pass';
        }
        return 'pass';
      };
      const result = await pipeline.takeOver(raiser);
      expect(result).toMatchObject({ kind: 'raised', epoch: verdicts.request === 'pass' ? 3 : 2 });
      if (result.kind !== 'raised') continue;
      const { run } = await pipeline.taken(result);
      expect(kindOf(await run.load(pipeline.batch(result, 1), noSignal))).toBe('applied');
      await run.close();
    }
  });
});

describeDatabase(['mariadb'], 'a link that dies without a word', (context) => {
  it('is noticed while a statement runs, and the batch is applied once over another', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    await using proxy = await TcpProxy.start({ target: context.db });
    const { run, applier } = await pipeline.taken(reign, {
      target: dataSourceOf(context.db, { port: proxy.port, connectTimeoutMs: 300 }),
      tickMs: 100,
    });
    let died = false;
    applier.before = async () => {
      if (died) return;
      died = true;
      proxy.lose();
      setTimeout(() => proxy.heal(), 1500);
    };
    expect(kindOf(await run.load(pipeline.batch(reign, 1), noSignal))).toBe('applied');
    expect(pipeline.states.some(({ kind }) => kind === 'connecting' || kind === 'blocked')).toBe(true);
    expect(await pipeline.values()).toEqual([1, 0]);
    await run.close();
  });

  it('leaves a statement alone that only takes long', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run, applier } = await pipeline.taken(reign, { tickMs: 50 });
    const slow = [`UPDATE ${pipeline.table} SET v = v + 1 WHERE id = 1 AND SLEEP(1) = 0`];
    expect(kindOf(await run.load(pipeline.batch(reign, 1, { sql: slow }), noSignal))).toBe('applied');
    expect(applier.sent).toHaveLength(1);
    await run.close();
  });
});
