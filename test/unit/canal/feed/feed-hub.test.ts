import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { CanalReader } from '../../../../canal/canal.ts';
import type { FeedHub } from '../../../../canal/feed/feed-hub.ts';
import { waitFor } from '../../../../lib/abort.ts';
import type { PositionText } from '../../../../model/position.ts';
import { at, hubOn, rowsIn, ScriptedLog } from './scripted-log.ts';

let hub: FeedHub | null = null;
afterEach(async () => {
  await hub?.close();
  hub = null;
});

const START = at(4);
const all = (): boolean => true;
const signal = (): AbortSignal => AbortSignal.timeout(5_000);

async function read(reader: CanalReader, items: number): Promise<string[]> {
  const rows: string[] = [];
  for (let i = 0; i < items; i++) {
    rows.push(...rowsIn(await reader.next(signal())));
    reader.ack();
  }
  return rows;
}

describe('FeedHub', () => {
  it('gives every reader every transaction over one dump, each with its own tables', async () => {
    const log = new ScriptedLog();
    hub = hubOn(log);
    const one = await hub.open({ name: 'one', start: START, wants: (_, t) => t === 'a' });
    const two = await hub.open({ name: 'two', start: START, wants: all });
    log.transaction(['a', 1], ['b', 2]);
    log.transaction(['b', 3]);
    expect(await read(one, 2)).toEqual(['a 1']);
    expect(await read(two, 2)).toEqual(['a 1', 'b 2', 'b 3']);
    expect(log.open.size).toBe(1);
    expect(one.position.text).toBe(log.end.text);
  });

  it('a reader that has everything says how far the log has come, also behind what is no transaction', async () => {
    const log = new ScriptedLog();
    hub = hubOn(log);
    const one = await hub.open({ name: 'one', start: START, wants: all });
    const comes = (what: string) =>
      waitFor(() => one.passed?.offset === log.end.at?.offset, { timeoutMs: 2_000, what });
    log.transaction(['a', 1]);
    await waitFor(() => one.hasNext, { timeoutMs: 2_000, what: 'a transaction' });
    expect(one.passed).toBeNull();
    await read(one, 1);
    await comes('all of it');
    const { position } = one;
    log.stop();
    await comes('what is no transaction');
    expect(one.position).toEqual(position);
    log.begin();
    log.row('a', 2);
    await waitFor(() => one.passed === null, { timeoutMs: 2_000, what: 'the middle of a transaction' });
    log.commit();
    await read(one, 1);
    await comes('its end');
  });

  it('a reader that starts elsewhere has a dump of its own until it is level', async () => {
    const log = new ScriptedLog();
    hub = hubOn(log, { feedLimits: { historyBytes: 0 } });
    for (let id = 0; id < 200; id++) log.transaction(['a', id]);
    const late = log.end;
    const one = await hub.open({ name: 'one', start: late, wants: all });
    const two = await hub.open({ name: 'two', start: START, wants: all });
    expect(log.open.size).toBe(2);
    log.transaction(['a', 1000]);
    expect(await read(one, 1)).toEqual(['a 1000']);
    const rows = await read(two, 201);
    expect(rows).toEqual([...Array.from({ length: 200 }, (_, id) => `a ${id}`), 'a 1000']);
    log.transaction(['a', 1001]);
    expect(await read(two, 1)).toEqual(['a 1001']);
    expect(await read(one, 1)).toEqual(['a 1001']);
    await waitFor(() => log.open.size === 1, { timeoutMs: 2_000, what: 'one dump' });
    log.transaction(['a', 1002]);
    expect([await read(one, 1), await read(two, 1)]).toEqual([['a 1002'], ['a 1002']]);
  });

  it('a reader that comes back finds the shared feed, without another dump', async () => {
    const log = new ScriptedLog();
    hub = hubOn(log);
    const one = await hub.open({ name: 'one', start: START, wants: all });
    log.transaction(['a', 1]);
    log.transaction(['a', 2]);
    await read(one, 1);
    const { position } = one;
    await read(one, 1);
    await one.close();
    const feed = hub.shared;
    const again = await hub.open({ name: 'again', start: position, wants: all });
    expect(await read(again, 1)).toEqual(['a 2']);
    expect(hub.shared).toBe(feed);
    expect(log.open.size).toBe(1);
  });

  it('a reader that comes back for a large transaction gets all of it, though its first parts have left the ring', async () => {
    for (const isOver of [false, true]) {
      const log = new ScriptedLog();
      hub = hubOn(log, { feedLimits: { historyBytes: 0, partBytes: 2000 } });
      const one = await hub.open({ name: 'one', start: START, wants: all });
      log.transaction(['a', 1000]);
      await read(one, 1);
      const { position } = one;
      log.begin();
      for (let id = 0; id < 40; id++) log.row('a', id);
      if (isOver) log.commit();
      // Some of its parts, which nobody needs any more then.
      await read(one, 3);
      await one.close();
      const again = await hub.open({ name: 'again', start: position, wants: all });
      if (!isOver) log.commit();
      const rows: string[] = [];
      while (rows.length < 40) rows.push(...(await read(again, 1)));
      expect(rows).toEqual(Array.from({ length: 40 }, (_, id) => `a ${id}`));
      await hub.close();
    }
  });

  it('the same file and offset with another canonical text is another place', async () => {
    const log = new ScriptedLog();
    hub = hubOn(log);
    const one = await hub.open({ name: 'one', start: START, wants: all });
    log.transaction(['a', 1]);
    await read(one, 1);
    const elsewhere = one.position.text.replace('srv', 'other') as PositionText;
    const two = await hub.open({ name: 'two', start: { ...one.position, text: elsewhere }, wants: all });
    log.transaction(['a', 2]);
    expect(await read(two, 1)).toEqual(['a 2']);
    expect(hub.feeds.length).toBe(2);
  });

  it('ends the shared feed some time after its last reader', async () => {
    const log = new ScriptedLog();
    hub = hubOn(log, { lingerMs: 20 });
    const one = await hub.open({ name: 'one', start: START, wants: all });
    await one.close();
    expect(log.open.size).toBe(1);
    await waitFor(() => log.open.size === 0, { timeoutMs: 2_000, what: 'no dump' });
    log.transaction(['a', 1]);
    const two = await hub.open({ name: 'two', start: START, wants: all });
    expect(await read(two, 1)).toEqual(['a 1']);
  });

  it('never lets a reader into what was assembled without its tables', async () => {
    const log = new ScriptedLog();
    hub = hubOn(log);
    const one = await hub.open({ name: 'one', start: START, wants: (_, t) => t === 'a' });
    log.transaction(['a', 1], ['b', 2]);
    log.transaction(['a', 3], ['b', 4]);
    expect(await read(one, 2)).toEqual(['a 1', 'a 3']);
    // Both transactions are still in the ring, without their rows of b.
    const two = await hub.open({ name: 'two', start: START, wants: (_, t) => t === 'b' });
    expect(await read(two, 2)).toEqual(['b 2', 'b 4']);
    log.transaction(['a', 5], ['b', 6]);
    expect(await read(two, 1)).toEqual(['b 6']);
    expect(await read(one, 1)).toEqual(['a 5']);
  });

  it('nor into the transaction that is open when it comes', async () => {
    const log = new ScriptedLog();
    hub = hubOn(log);
    const one = await hub.open({ name: 'one', start: START, wants: (_, t) => t === 'a' });
    log.transaction(['a', 0]);
    await read(one, 1);
    const { position } = one;
    log.begin();
    log.row('b', 1);
    await waitFor(() => hub?.shared?.schema.find !== undefined, { timeoutMs: 1_000, what: 'reading' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const two = await hub.open({ name: 'two', start: position, wants: (_, t) => t === 'b' });
    log.row('b', 2);
    log.commit();
    expect(await read(two, 1)).toEqual(['b 1', 'b 2']);
    expect(await read(one, 1)).toEqual([]);
  });

  it('a slow reader holds nobody up: it goes on over a dump of its own, and comes back', async () => {
    const log = new ScriptedLog();
    hub = hubOn(log, { feedLimits: { ringItems: 16 } });
    const fast = await hub.open({ name: 'fast', start: START, wants: all });
    const slow = await hub.open({ name: 'slow', start: START, wants: all });
    for (let id = 0; id < 100; id++) log.transaction(['a', id]);
    const expected = Array.from({ length: 100 }, (_, id) => `a ${id}`);
    expect(await read(fast, 100)).toEqual(expected);
    expect(hub.feeds.length).toBe(2);
    expect(await read(slow, 100)).toEqual(expected);
    // It looks whether it is level whenever it has read all there is.
    for (let id = 100; log.open.size > 1 && id < 140; id++) {
      log.transaction(['a', id]);
      expect([await read(fast, 1), await read(slow, 1)]).toEqual([[`a ${id}`], [`a ${id}`]]);
    }
    expect(log.open.size).toBe(1);
  });

  it('when all are slow, the source waits: nobody is moved', async () => {
    const log = new ScriptedLog();
    hub = hubOn(log, { feedLimits: { ringItems: 16 } });
    const readers = [
      await hub.open({ name: 'one', start: START, wants: all }),
      await hub.open({ name: 'two', start: START, wants: all }),
    ];
    for (let id = 0; id < 100; id++) log.transaction(['a', id]);
    await waitFor(() => hub?.shared?.ring.putCursor === 16, { timeoutMs: 2_000, what: 'a full ring' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(hub.shared?.ring.putCursor).toBe(16);
    expect(hub.feeds.length).toBe(1);
    for (const reader of readers) expect(await read(reader, 10)).toHaveLength(10);
  });

  it('a reader moved in the midst of a large transaction is told, and gets it again from its beginning', async () => {
    const log = new ScriptedLog();
    hub = hubOn(log, { feedLimits: { ringItems: 4, partBytes: 900 } });
    const fast = await hub.open({ name: 'fast', start: START, wants: all });
    const slow = await hub.open({ name: 'slow', start: START, wants: all });
    log.transaction(...Array.from({ length: 40 }, (_, id) => ['a', id] as const));
    const first = rowsIn(await slow.next(signal()));
    expect(first.length).toBeLessThan(40);
    const whole: string[] = [];
    while (whole.length < 40) whole.push(...(await read(fast, 1)));
    const told = await slow.next(signal());
    slow.ack();
    // What was in the ring before the move may come first.
    const rest: string[] = [];
    let item = told;
    while (item.kind !== 'interrupted') {
      item = await slow.next(signal());
      slow.ack();
    }
    while (rest.length < 40) rest.push(...(await read(slow, 1)));
    expect(rest).toEqual(whole);
  });

  it('a lost link in the midst of a large transaction reaches every reader once', async () => {
    const log = new ScriptedLog();
    hub = hubOn(log, { feedLimits: { partBytes: 900 } });
    const one = await hub.open({ name: 'one', start: START, wants: all });
    log.begin();
    for (let id = 0; id < 10; id++) log.row('a', id);
    expect((await read(one, 1)).length).toBeGreaterThan(0);
    await waitFor(() => (hub?.shared?.ring.putCursor ?? 0) > 1, { timeoutMs: 2_000, what: 'parts' });
    const parts = hub.shared?.ring.putCursor ?? 0;
    for (const feed of log.open) feed.interrupt();
    log.row('a', 10);
    log.commit();
    await read(one, parts - 1);
    expect((await one.next(signal())).kind).toBe('interrupted');
    const rows: string[] = [];
    while (!rows.includes('a 10')) rows.push(...(await read(one, 1)));
    expect(rows).toEqual(Array.from({ length: 11 }, (_, id) => `a ${id}`));
  });

  it('refuses more dumps than it may have, and goes on with those it has', async () => {
    const log = new ScriptedLog();
    hub = hubOn(log, { maxFeeds: 1, feedLimits: { historyBytes: 0 } });
    log.transaction(['a', 1]);
    const one = await hub.open({ name: 'one', start: log.end, wants: all });
    await expect(hub.open({ name: 'two', start: START, wants: all })).rejects.toMatchObject({
      code: 'HOLT_SOURCE_TOO_MANY_READERS',
      disposition: 'retry',
    });
    log.transaction(['a', 2]);
    expect(await read(one, 1)).toEqual(['a 2']);
  });

  it('ends whoever waits when it is closed', async () => {
    const log = new ScriptedLog();
    const own = hubOn(log);
    const one = await own.open({ name: 'one', start: START, wants: all });
    const waiting = one.next(signal());
    await own.close();
    await expect(waiting).rejects.toMatchObject({ code: 'HOLT_SOURCE_READER_CLOSED' });
    expect(log.open.size).toBe(0);
    await expect(own.open({ name: 'two', start: START, wants: all })).rejects.toMatchObject({
      code: 'HOLT_SOURCE_READER_CLOSED',
    });
  });

  it('loses and repeats nothing for any reader, whoever comes, goes, reads or is slow, in whatever order', async () => {
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ kind: fc.constant('write' as const), n: fc.integer({ min: 1, max: 12 }) }),
      },
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant('read' as const),
          reader: fc.nat(2),
          n: fc.integer({ min: 1, max: 15 }),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const), reader: fc.nat(2) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('interrupt' as const) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const log = new ScriptedLog();
        const own = hubOn(log, { feedLimits: { ringItems: 8, historyBytes: 600, heldUpMs: 1 } });
        const tables = ['a', 'b', 'c'];
        const wants = [all, (_: string, t: string) => t === 'a', (_: string, t: string) => t !== 'a'];
        const readers: (CanalReader | null)[] = [null, null, null];
        const got = [0, 0, 0];
        const places = [START, START, START];
        const written: string[][] = [];
        try {
          for (const one of steps) {
            if (one.kind === 'write')
              for (let i = 0; i < one.n; i++) {
                const rows = tables.map((table, index) => [table, written.length * 3 + index] as const);
                log.transaction(...rows);
                written.push(rows.map(([table, id]) => `${table} ${id}`));
              }
            else if (one.kind === 'interrupt') for (const feed of log.open) feed.interrupt();
            else if (one.kind === 'reopen') {
              await readers[one.reader]?.close();
              readers[one.reader] = null;
            } else {
              const index = one.reader;
              const start = places[index] ?? START;
              const want = wants[index] ?? all;
              const reader = readers[index] ?? (await own.open({ name: `r${index}`, start, wants: want }));
              readers[index] = reader;
              for (let i = 0; i < one.n && (got[index] ?? 0) < written.length; i++) {
                const rows = rowsIn(await reader.next(signal()));
                reader.ack();
                const expected = (written[got[index] ?? 0] ?? []).filter((row) => want('shop', row[0] ?? ''));
                expect(rows).toEqual(expected);
                got[index] = (got[index] ?? 0) + 1;
                places[index] = reader.position;
              }
            }
          }
        } finally {
          await own.close();
        }
        expect(log.open.size).toBe(0);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
