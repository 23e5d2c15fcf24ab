import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FileReaderOptions, MAGIC, readBinlogFile } from '../../../../canal/event/file-reader.ts';
import { HoltError } from '../../../../lib/errors.ts';
import { concat, eventBytes, formatDescription, u64 } from '../../../support/binlog-bytes.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holt-file-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(
  content: Buffer,
  options?: FileReaderOptions,
): Promise<[offset: number, bytes: Buffer][]> {
  const path = join(folder, 'binlog.000001');
  await writeFile(path, content);
  const found: [number, Buffer][] = [];
  for await (const { offset, bytes } of readBinlogFile(path, options)) found.push([offset, bytes]);
  return found;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'no error',
    (error: unknown) => (error instanceof HoltError ? `${error.code}: ${error.message}` : String(error)),
  );
}

const first = formatDescription({});
const xid = eventBytes(16, u64(1));
const large = eventBytes(2, Buffer.alloc(3_000_000, 7));

describe('readBinlogFile', () => {
  it('gives every event with its offset, larger than a chunk and across chunks too', async () => {
    const events = [first, ...new Array(50_000).fill(xid), large, xid, large];
    const found = await read(concat(MAGIC, ...events));
    expect(found.length).toBe(events.length);
    let offset = 4;
    for (const [i, event] of events.entries()) {
      const [at, bytes] = found[i] ?? [-1, Buffer.alloc(0)];
      if (at !== offset || !bytes.equals(event)) expect.fail(`event ${i} at ${at}`);
      offset += event.length;
    }
  });

  it('begins at an offset, after the format description', async () => {
    const start = 4 + first.length + xid.length;
    const found = await read(concat(MAGIC, first, xid, large, xid), { start });
    expect(found.map(([offset]) => offset)).toEqual([4, start, start + large.length]);
    expect(found[1]?.[1].equals(large)).toBe(true);
    expect((await read(concat(MAGIC, first, xid), { start: 4 })).length).toBe(2);
  });

  it('has nothing to give for a file with the magic alone', async () => {
    expect(await read(MAGIC)).toEqual([]);
  });

  it.each([
    ['no binlog', Buffer.from('hello world'), 'it begins with 68656c6c'],
    ['an encrypted file', Buffer.from('fd62696e0102', 'hex'), 'it is encrypted'],
    ['an empty file', Buffer.alloc(0), 'it ends within'],
    [
      'a file that ends in a header',
      concat(MAGIC, first, xid.subarray(0, 10)),
      'it ends within the event at offset',
    ],
    [
      'a file that ends in a body',
      concat(MAGIC, first, xid.subarray(0, -1)),
      'it ends within the event at offset',
    ],
    ['an event of no length', concat(MAGIC, Buffer.alloc(40)), 'an event of 0 bytes at offset 4'],
    [
      'events that are encrypted',
      concat(MAGIC, first, eventBytes(164, Buffer.alloc(17)), xid),
      'events are encrypted',
    ],
  ])('refuses %s', async (_, content, message) => {
    const found = await codeOf(read(content));
    expect(found).toContain('HOLT_BINLOG_FILE_INVALID');
    expect(found).toContain(message);
  });

  it('refuses an event beyond the limit without reading it', async () => {
    expect(await codeOf(read(concat(MAGIC, first, large), { maxEventBytes: 1_000_000 }))).toContain(
      '3000023 bytes',
    );
  });

  it('stops when asked to', async () => {
    const stop = new AbortController();
    stop.abort();
    await expect(read(concat(MAGIC, first), { signal: stop.signal })).rejects.toThrow(/abort/i);
  });
});
