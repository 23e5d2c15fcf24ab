import { afterEach, describe, expect, it } from 'vitest';
import { EVENT_CODE } from '../../../../canal/event/event-code.ts';
import { PacketSplitter } from '../../../../canal/protocol/packet-splitter.ts';
import { writePackets } from '../../../../canal/protocol/packet-writer.ts';
import type { DumpStream, RawEvent } from '../../../../canal/source/dump-stream.ts';
import { openDump } from '../../../../canal/source/open-dump.ts';
import { HoltError } from '../../../../lib/errors.ts';
import type { PositionText } from '../../../../model/position.ts';
import { type FakeDump, FakeSource } from '../../../support/fake-source.ts';
import { eventBytes, LogWriter } from '../../../support/raw-events.ts';

const FILE = 'binlog.000007';
const open: (FakeSource | DumpStream)[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) {
    if ('port' in one) await one[Symbol.asyncDispose]();
    else await one.close();
  }
});

interface DumpOptions {
  readonly start?: string;
  readonly checksum?: 'CRC32' | 'NONE';
  readonly heartbeatMs?: number;
  readonly startTimeoutMs?: number;
  readonly maxEventBytes?: number;
  readonly maxBufferedBytes?: number;
}

async function dumpOf(script: (dump: FakeDump) => void, options: DumpOptions = {}): Promise<DumpStream> {
  const source = await FakeSource.start({ onDump: script, checksum: options.checksum ?? 'CRC32' });
  open.push(source);
  const { start = `file:x:${FILE}:4`, checksum: _, ...rest } = options;
  const stream = await openDump(
    {
      endpoint: {
        host: '127.0.0.1',
        port: source.port,
        user: 'u',
        password: { kind: 'literal', from: 'literal', resolve: () => 'p' },
        tls: { mode: 'disabled', ca: null, cert: null, key: null },
        connectTimeoutMs: 5_000,
      },
      serverId: 9,
      start: start as PositionText,
      ...rest,
    },
    AbortSignal.timeout(10_000),
  );
  open.push(stream);
  return stream;
}

/** Everything until the stream ends, and why it did. */
async function drain(stream: DumpStream): Promise<{ events: RawEvent[]; error: HoltError }> {
  const events: RawEvent[] = [];
  const signal = AbortSignal.timeout(10_000);
  try {
    for (;;) {
      for (let event = stream.next(); event !== null; event = stream.next()) events.push(event);
      await stream.fill(signal);
    }
  } catch (error) {
    if (!(error instanceof HoltError)) throw error;
    return { events, error };
  }
}

const placesOf = (events: readonly RawEvent[]) => events.map(({ file, start, end }) => [file, start, end]);

describe('the offsets of a dump', () => {
  it('follow the events, and made-up ones take no place', async () => {
    const log = new LogWriter();
    const sent = [log.fakeRotate(FILE), log.formatDescription(), ...log.transaction()];
    const end = log.offset;
    const stream = await dumpOf((dump) => {
      dump.send(...sent, log.heartbeat(FILE));
      dump.endOfLog();
    });
    const { events, error } = await drain(stream);
    expect(error).toMatchObject({ code: 'HOLT_SOURCE_LINK_LOST', disposition: 'retry' });
    expect(events.map(({ bytes }) => bytes)).toEqual([...sent, log.heartbeat(FILE)]);
    expect(placesOf(events).at(0)).toEqual([FILE, 4, 4]);
    expect(placesOf(events).at(-1)).toEqual([FILE, end, end]);
    let at = 4;
    for (const event of events.slice(1, -1)) {
      expect(event.start).toBe(at);
      expect(event.end).toBe(at + event.bytes.length);
      at = event.end;
    }
    expect(stream.at).toEqual({ file: FILE, offset: end });
  });

  it('go on beyond 4 GiB, where the header begins again at 0', async () => {
    const beyond = 2 ** 32;
    const log = new LogWriter({ offset: beyond - 200 });
    const stream = await dumpOf(
      (dump) => {
        dump.send(log.fakeRotate(FILE), log.formatDescription(false));
        for (let i = 0; i < 5; i += 1) dump.send(...log.transaction());
        dump.endOfLog();
      },
      { start: `file:x:${FILE}:${beyond - 200}` },
    );
    const { events } = await drain(stream);
    expect(events.at(-1)?.end).toBe(log.offset);
    expect(log.offset).toBeGreaterThan(beyond);
    expect(events.at(-1)?.header.logPos).toBeLessThan(2_000);
  });

  it('are exact for an event that ends at 4 GiB sharp, whose header says 0', async () => {
    const log = new LogWriter({ offset: 2 ** 32 - 31 });
    const stream = await dumpOf(
      (dump) => {
        dump.send(log.fakeRotate(FILE), log.formatDescription(false), log.xid(), log.xid());
        dump.endOfLog();
      },
      { start: `file:x:${FILE}:${2 ** 32 - 31}` },
    );
    const { events } = await drain(stream);
    expect(events.at(-2)?.header.logPos).toBe(0);
    expect(placesOf(events).slice(-2)).toEqual([
      [FILE, 2 ** 32 - 31, 2 ** 32],
      [FILE, 2 ** 32, 2 ** 32 + 31],
    ]);
  });

  it('a start beyond 4 GiB reads the file from its beginning and hands out what follows the start', async () => {
    const target = 5 * 2 ** 30;
    const log = new LogWriter();
    let command: Buffer = Buffer.alloc(0);
    const stream = await dumpOf(
      (dump) => {
        command = dump.command;
        dump.send(log.fakeRotate(FILE), log.formatDescription());
        // Stands for five GiB of events.
        log.offset = target - 31;
        dump.send(log.xid(), log.xid());
        dump.endOfLog();
      },
      { start: `file:x:${FILE}:${target}` },
    );
    const { error } = await drain(stream);
    expect(command.readUInt32LE(1)).toBe(4);
    // The gap that stands for the events is noticed: in a dump by file none may be missing.
    expect(error).toMatchObject({ code: 'HOLT_SOURCE_PROTOCOL', message: expect.stringMatching(/missing/) });
  });

  it('what lies before a start that the command cannot name is passed over', async () => {
    const { RawEventReader } = await import('../../../../canal/source/raw-event-reader.ts');
    const log = new LogWriter();
    const payloads = [
      log.fakeRotate(FILE),
      log.formatDescription(),
      ...log.transaction(),
      ...log.transaction(),
    ];
    const middle = log.offset;
    payloads.push(...log.transaction());
    const packets = new PacketSplitter({ maxPayloadBytes: 1 << 20 });
    let sequence = 0;
    for (const bytes of payloads) {
      const packet = writePackets(Buffer.concat([Buffer.from([0]), bytes]), sequence);
      packets.push(packet.bytes);
      sequence = packet.nextSequence;
    }
    const reader = new RawEventReader(
      {
        takeRun: (run, first) => packets.takeRun(run, first),
        advance: () => packets.advance(),
        get memory() {
          return packets.memory;
        },
        get payloadStart() {
          return packets.start;
        },
        get payloadEnd() {
          return packets.end;
        },
        fill: () => Promise.resolve(),
      },
      { checksum: 'crc32', contiguous: true, skipTo: { file: FILE, offset: middle } },
    );
    const events: RawEvent[] = [];
    for (let event = reader.next(); event !== null; event = reader.next()) events.push(event);
    expect(events.map(({ start }) => start).slice(0, 3)).toEqual([4, 4, middle]);
    expect(events.at(-1)?.end).toBe(log.offset);
  });

  it('begin anew with the next file', async () => {
    const log = new LogWriter();
    const stream = await dumpOf((dump) => {
      dump.send(log.fakeRotate(FILE), log.formatDescription(), log.rotate('binlog.000008'));
      dump.send(log.fakeRotate('binlog.000008'), log.formatDescription(), ...log.transaction());
      dump.endOfLog();
    });
    const { events } = await drain(stream);
    expect(events[2]).toMatchObject({ file: FILE, header: { typeCode: EVENT_CODE.rotate } });
    expect(events[2]?.end).toBeGreaterThan(events[2]?.start ?? 0);
    expect(placesOf(events).slice(3, 5)).toEqual([
      ['binlog.000008', 4, 4],
      ['binlog.000008', 4, events[4]?.end],
    ]);
  });
});

describe('a dump that is damaged', () => {
  it('an event with any byte changed is refused, what came before it is not', async () => {
    const log = new LogWriter();
    const head = [log.fakeRotate(FILE), log.formatDescription(), ...log.transaction()];
    const hurt = log.query('BEGIN');
    for (let place = 0; place < hurt.length; place += 7) {
      const bytes = Buffer.from(hurt);
      bytes[place] = (bytes[place] ?? 0) ^ 0x10;
      const stream = await dumpOf((dump) => dump.send(...head, bytes));
      const { events, error } = await drain(stream);
      expect(events.length).toBe(head.length);
      expect(['HOLT_EVENT_CHECKSUM', 'HOLT_EVENT_CORRUPT']).toContain(error.code);
      expect(error.disposition).toBe('retry');
      expect(error.message).toContain(`${FILE}:`);
    }
  });

  it('a missing event is noticed, also when heartbeats are all that follows', async () => {
    for (const follow of ['event', 'heartbeat']) {
      const log = new LogWriter();
      const stream = await dumpOf((dump) => {
        dump.send(log.fakeRotate(FILE), log.formatDescription(), ...log.transaction());
        log.xid();
        dump.send(follow === 'event' ? log.xid() : log.heartbeat(FILE));
      });
      const { events, error } = await drain(stream);
      expect(events.length).toBe(5);
      expect(error).toMatchObject({ code: 'HOLT_SOURCE_PROTOCOL', disposition: 'retry' });
    }
  });

  it('a stream cut anywhere in an event gives the events before it and a lost link', async () => {
    const log = new LogWriter();
    const head = [log.fakeRotate(FILE), log.formatDescription()];
    const last = log.query('CREATE TABLE t (a INT)');
    for (let length = 1; length < last.length + 5; length += 9) {
      const stream = await dumpOf((dump) => {
        dump.send(...head);
        dump.sendPart(last, length);
        dump.hangUp();
      });
      const { events, error } = await drain(stream);
      expect(events.length).toBe(2);
      expect(error).toMatchObject({ code: 'HOLT_SOURCE_LINK_LOST', disposition: 'retry' });
      expect(error.message).toContain('in the middle of a packet');
    }
  });

  it.each([
    ['a packet that is neither event nor end', (dump: FakeDump) => dump.sendPayload(Buffer.from([7, 1, 2]))],
    ['an event before any ROTATE', (dump: FakeDump) => dump.send(new LogWriter().formatDescription())],
    ['an event shorter than a header', (dump: FakeDump) => dump.send(Buffer.alloc(11))],
    ['an empty packet', (dump: FakeDump) => dump.sendPayload(Buffer.alloc(0))],
    [
      'a ROTATE without file name',
      (dump: FakeDump) => dump.send(eventBytes({ type: 'rotate', body: Buffer.alloc(3) })),
    ],
  ])('%s is refused with a code', async (_name, script) => {
    const { error } = await drain(await dumpOf(script));
    expect(error.code).toMatch(/^HOLT_(SOURCE_PROTOCOL|EVENT_CORRUPT|EVENT_CHECKSUM)$/);
  });

  it('an event above the cap is refused by name', async () => {
    const log = new LogWriter();
    const stream = await dumpOf(
      (dump) => {
        dump.send(log.fakeRotate(FILE), log.formatDescription());
        dump.send(log.event({ type: 'rowsQuery', body: Buffer.alloc(5_000) }));
      },
      { maxEventBytes: 4_000 },
    );
    expect((await drain(stream)).error).toMatchObject({
      code: 'HOLT_SOURCE_PACKET_TOO_LARGE',
      disposition: 'pause',
    });
  });

  it.each([16, 17, 40])('an event of %i MiB comes whole', async (mib) => {
    const log = new LogWriter();
    const body = Buffer.alloc(mib * 1024 * 1024, 'abcdefg');
    const stream = await dumpOf((dump) => {
      dump.send(log.fakeRotate(FILE), log.formatDescription());
      dump.send(log.event({ type: 'rowsQuery', body }), log.xid());
      dump.endOfLog();
    });
    const { events } = await drain(stream);
    expect(events.length).toBe(4);
    expect(events[2]?.bytes.subarray(19, -4).equals(body)).toBe(true);
  });
});

describe('checksums', () => {
  it('what the file says counts, not what the server is set to', async () => {
    // The server now writes CRC32; the old file has none; the next has it again.
    const old = new LogWriter({ checksum: 'none' });
    const now = new LogWriter();
    const stream = await dumpOf((dump) => {
      dump.send(now.fakeRotate(FILE, 4), old.formatDescription(), ...old.transaction());
      dump.send(old.fakeRotate('binlog.000008', 4), now.formatDescription(), ...now.transaction());
      dump.endOfLog();
    });
    const { events } = await drain(stream);
    expect(events.map(({ header }) => header.crc32 !== null)).toEqual([
      true,
      false,
      false,
      false,
      false,
      false,
      true,
      true,
      true,
      true,
    ]);
  });

  it('a server without checksums is followed too', async () => {
    const log = new LogWriter({ checksum: 'none' });
    const stream = await dumpOf(
      (dump) => {
        dump.send(log.fakeRotate(FILE), log.formatDescription(), ...log.transaction());
        dump.endOfLog();
      },
      { checksum: 'NONE' },
    );
    expect((await drain(stream)).events.map(({ header }) => header.crc32)).toEqual([
      null,
      null,
      null,
      null,
      null,
    ]);
  });
});

describe('silence', () => {
  const quick = { heartbeatMs: 40, startTimeoutMs: 100 };

  it('of three heartbeat periods ends the dump', async () => {
    const log = new LogWriter();
    const stream = await dumpOf((dump) => {
      dump.send(log.fakeRotate(FILE), log.formatDescription(), ...log.transaction());
    }, quick);
    const start = performance.now();
    const { events, error } = await drain(stream);
    expect(events.length).toBe(5);
    expect(error).toMatchObject({ code: 'HOLT_SOURCE_SILENT', disposition: 'retry' });
    expect(performance.now() - start).toBeGreaterThan(100);
  });

  it('is none while heartbeats come', async () => {
    const log = new LogWriter();
    let timer: NodeJS.Timeout | undefined;
    const stream = await dumpOf((dump) => {
      dump.send(log.fakeRotate(FILE), log.formatDescription());
      let beats = 0;
      timer = setInterval(() => {
        beats += 1;
        if (beats < 15) dump.send(log.heartbeat(FILE));
        else dump.endOfLog();
      }, 40);
    }, quick);
    const { events, error } = await drain(stream);
    clearInterval(timer);
    expect(error.code).toBe('HOLT_SOURCE_LINK_LOST');
    expect(events.length).toBe(16);
  });

  it('is allowed for longer while the server looks for the place', async () => {
    const log = new LogWriter();
    let timer: NodeJS.Timeout | undefined;
    const stream = await dumpOf(
      (dump) => {
        dump.send(log.fakeRotate(FILE), log.formatDescription());
        timer = setTimeout(() => {
          dump.send(...log.transaction());
          dump.endOfLog();
        }, 400);
      },
      { heartbeatMs: 40, startTimeoutMs: 5_000 },
    );
    const { events, error } = await drain(stream);
    clearTimeout(timer);
    expect([events.length, error.code]).toEqual([5, 'HOLT_SOURCE_LINK_LOST']);
  });

  it('is not counted while the consumer takes nothing', async () => {
    const log = new LogWriter();
    const stream = await dumpOf((dump) => {
      dump.send(log.fakeRotate(FILE), log.formatDescription(), ...log.transaction());
    }, quick);
    await stream.fill(AbortSignal.timeout(5_000));
    await new Promise((resolve) => setTimeout(resolve, 400));
    for (let i = 0; i < 5; i += 1) expect(stream.next()).not.toBe(null);
    expect(stream.next()).toBe(null);
  });
});

describe('back-pressure', () => {
  it('the source cannot send more than is read ahead', async () => {
    const log = new LogWriter();
    const big = log.event({ type: 'rowsQuery', body: Buffer.alloc(60_000) });
    let sent = 0;
    const stream = await dumpOf(
      (dump) => {
        const first = new LogWriter();
        dump.send(first.fakeRotate(FILE), first.formatDescription());
        for (; sent < 2_000; sent += 1) dump.send(big);
      },
      { maxBufferedBytes: 1024 * 1024 },
    );
    await stream.fill(AbortSignal.timeout(5_000));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(sent).toBe(2_000);
    expect(stream.bufferedBytes).toBeGreaterThan(500_000);
    // One chunk more than the bound may be on its way when the socket is paused.
    expect(stream.bufferedBytes).toBeLessThan(1024 * 1024 + 256 * 1024);
  });

  it('a wait that is given up loses nothing', async () => {
    const log = new LogWriter();
    let go: () => void = () => {};
    const stream = await dumpOf((dump) => {
      dump.send(log.fakeRotate(FILE), log.formatDescription());
      go = () => {
        dump.send(...log.transaction());
        dump.endOfLog();
      };
    });
    const got: RawEvent[] = [];
    const take = () => {
      for (let event = stream.next(); event !== null; event = stream.next()) got.push(event);
    };
    while (got.length < 2) {
      await stream.fill(AbortSignal.timeout(5_000));
      take();
    }
    await expect(stream.fill(AbortSignal.timeout(30))).rejects.toThrow();
    go();
    const { events } = await drain(stream);
    expect(events.length).toBe(3);
  });
});
