import { describe, expect, it } from 'vitest';
import type { DumpStream, FeedItem, RawEvent } from '../../../../canal/source/dump-stream.ts';
import { LogEvent } from '../../../../canal/source/log-event.ts';
import {
  ReconnectingDump,
  type ReconnectingDumpOptions,
} from '../../../../canal/source/reconnecting-dump.ts';
import type { Clock } from '../../../../lib/clock.ts';
import { HoltError } from '../../../../lib/errors.ts';
import type { PositionText } from '../../../../model/position.ts';
import { eventBytes } from '../../../support/raw-events.ts';

const retry = (code: string) => new HoltError(code, code, { disposition: 'retry' });
const pause = (code: string) => new HoltError(code, code, { disposition: 'pause' });

function event(offset: number): RawEvent {
  const bytes = eventBytes({ type: 'xid', body: Buffer.alloc(8), logPos: offset + 10 });
  return new LogEvent(bytes, 0, bytes.length, true).placed('f', offset, offset + 10);
}

/** Gives its events and then fails. */
class ScriptedStream implements DumpStream {
  readonly at = null;
  readonly receivedBytes = 0;
  readonly bufferedBytes = 0;
  readonly lastHeardMs = 0;
  readonly #events: RawEvent[];
  readonly #end: HoltError;

  constructor(events: readonly RawEvent[], end: HoltError) {
    this.#events = [...events];
    this.#end = end;
  }

  next(): RawEvent | null {
    const next = this.#events.shift();
    if (next === undefined) throw this.#end;
    return next;
  }

  fill(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Time passes only in `sleep`. */
class JumpingClock implements Clock {
  readonly slept: number[] = [];
  #now = 0;

  nowMs(): number {
    return this.#now;
  }

  monotonicMs(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.slept.push(ms);
    this.#now += ms;
    return Promise.resolve();
  }

  pass(ms: number): void {
    this.#now += ms;
  }
}

type Connection = HoltError | readonly [events: readonly RawEvent[], end: HoltError];

function dumpOver(connections: readonly Connection[], options: Partial<ReconnectingDumpOptions> = {}) {
  const clock = new JumpingClock();
  const starts: string[] = [];
  const at = { text: 'file:x:f:0' };
  let index = 0;
  const dump = new ReconnectingDump({
    clock,
    backoff: { jitter: 0 },
    resume: () => at.text as PositionText,
    open: (start) => {
      starts.push(start);
      const connection = connections[index++];
      if (connection === undefined) return Promise.reject(pause('SCRIPT_OVER'));
      if (connection instanceof HoltError) return Promise.reject(connection);
      return Promise.resolve(new ScriptedStream(...connection));
    },
    ...options,
  });
  return { dump, clock, starts, at };
}

async function drain(
  dump: ReconnectingDump,
  onItem: (item: FeedItem) => void = () => {},
): Promise<{ items: (number | string)[]; error: HoltError }> {
  const items: (number | string)[] = [];
  try {
    for (;;) {
      for (let item = dump.next(); item !== null; item = dump.next()) {
        items.push(item.kind === 'event' ? item.start : item.kind);
        onItem(item);
      }
      await dump.fill(new AbortController().signal);
    }
  } catch (error) {
    if (!(error instanceof HoltError)) throw error;
    return { items, error };
  }
}

describe('ReconnectingDump', () => {
  it('goes on from where the consumer is, and says that what was unfinished comes again', async () => {
    const { dump, starts, at } = dumpOver([
      [[event(0), event(10), event(20)], retry('HOLT_SOURCE_LINK_LOST')],
      [[event(20), event(30)], pause('HOLT_SOURCE_POSITION_PURGED')],
    ]);
    const { items, error } = await drain(dump, (item) => {
      // A transaction ends at 20.
      if (item.kind === 'event' && item.end === 20) at.text = 'file:x:f:20';
    });
    expect(items).toEqual([0, 10, 20, 'interrupted', 20, 30]);
    expect(starts).toEqual(['file:x:f:0', 'file:x:f:20']);
    expect(error.code).toBe('HOLT_SOURCE_POSITION_PURGED');
  });

  it('tries links for as long as it takes, ever more slowly, and quickly again once events flow', async () => {
    const down = Array.from({ length: 12 }, () => retry('HOLT_SOURCE_UNREACHABLE'));
    const troubles: (string | null)[] = [];
    const { dump, clock } = dumpOver(
      [...down, [[event(0)], retry('HOLT_SOURCE_SILENT')], [[], pause('END')]],
      { onTrouble: (trouble) => troubles.push(trouble?.code ?? null) },
    );
    const { items } = await drain(dump);
    // The first connection of all interrupts nothing.
    expect(items).toEqual([0, 'interrupted']);
    expect(clock.slept).toEqual([
      100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000, 10_000, 10_000, 100,
    ]);
    expect(troubles).toEqual([...down.map(({ code }) => code), null, 'HOLT_SOURCE_SILENT']);
  });

  it('gives up on damage that comes again and again at the same place', async () => {
    const damaged: Connection = [[event(0)], retry('HOLT_EVENT_CHECKSUM')];
    const { dump, starts } = dumpOver(Array.from({ length: 9 }, () => damaged));
    const { error } = await drain(dump);
    expect(error).toMatchObject({ code: 'HOLT_EVENT_CHECKSUM', disposition: 'pause' });
    expect(starts.length).toBe(5);
    expect(() => dump.next()).toThrow(error);
  });

  it('does not count damage at another place, nor broken links between', async () => {
    const { dump, at } = dumpOver([
      ...Array.from(
        { length: 20 },
        (_, i): Connection => [
          [event(i * 10)],
          retry(i % 2 === 0 ? 'HOLT_EVENT_CHECKSUM' : 'HOLT_SOURCE_LINK_LOST'),
        ],
      ),
    ]);
    const { error } = await drain(dump, (item) => {
      if (item.kind === 'event') at.text = `file:x:f:${item.end}`;
    });
    expect(error.code).toBe('SCRIPT_OVER');
  });

  it('thrown out by another replica of its id, it waits, and gives up when that repeats', async () => {
    const kicked: Connection = [[event(0)], retry('HOLT_SOURCE_SERVER_ID')];
    const { dump, clock, at } = dumpOver(Array.from({ length: 9 }, () => kicked));
    let n = 0;
    const { error } = await drain(dump, (item) => {
      // Both replicas get on between two blows: progress does not hide the clash.
      if (item.kind === 'event') at.text = `file:x:f:${n++}`;
    });
    expect(error).toMatchObject({ code: 'HOLT_SOURCE_SERVER_ID', disposition: 'pause' });
    expect(clock.slept).toEqual([5_000, 5_000, 5_000, 5_000]);
  });

  it('ends at once for what a person must settle', async () => {
    const { dump, clock } = dumpOver([pause('HOLT_SOURCE_ACCESS_DENIED')]);
    expect((await drain(dump)).error.code).toBe('HOLT_SOURCE_ACCESS_DENIED');
    expect(clock.slept).toEqual([]);
  });

  it('a stop in the middle of waiting is an abort, no failure', async () => {
    const stop = new AbortController();
    const { dump } = dumpOver([retry('HOLT_SOURCE_UNREACHABLE')], {
      onTrouble: () => stop.abort(new Error('stopped')),
    });
    await expect(dump.fill(stop.signal)).rejects.toThrow('stopped');
    expect(dump.next()).toBe(null);
  });

  it('a stop while the link is opened is an abort, no failure', async () => {
    const stop = new AbortController();
    const stream = new ScriptedStream([], retry('HOLT_SOURCE_LINK_LOST'));
    const { dump } = dumpOver([], {
      open: async () => {
        stop.abort(new Error('stopped'));
        await dump.close();
        return stream;
      },
    });
    await expect(dump.fill(stop.signal)).rejects.toThrow('stopped');
    expect(dump.next()).toBe(null);
  });
});
