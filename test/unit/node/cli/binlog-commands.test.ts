import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { afterAll, describe, expect, test } from 'vitest';
import { HoltError } from '../../../../lib/errors.ts';
import { addBinlogCommands } from '../../../../node/cli/binlog-commands.ts';
import { exitCodeOf } from '../../../../node/cli/output.ts';

const fixtures = join(import.meta.dirname, '../../../fixtures/binlog');
const folder = mkdtempSync(join(tmpdir(), 'holt-dump-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function dump(...args: string[]): Promise<string[]> {
  const lines: string[] = [];
  const program = new Command('holt').exitOverride().configureOutput({ writeErr: () => {} });
  addBinlogCommands(program, {
    out: (text) => lines.push(...text.split('\n')),
    interactive: false,
    width: () => Number.POSITIVE_INFINITY,
    exit: () => {},
    signal: new AbortController().signal,
  });
  for (const command of program.commands)
    for (const inner of command.commands) inner.exitOverride().configureOutput({ writeErr: () => {} });
  await program.parseAsync(['node', 'holt', 'binlog', 'dump', ...args]);
  return lines;
}

interface JsonEvent {
  readonly offset: number;
  readonly kind: string;
  readonly inner: boolean;
  readonly sql: string | null;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly rows?: readonly { readonly before: unknown; readonly after: unknown }[];
}

async function dumpJson(...args: string[]): Promise<JsonEvent[]> {
  return (await dump(...args, '-o', 'json')).map((line) => JSON.parse(line) as JsonEvent);
}

function damaged(name: string, change: (bytes: Buffer) => Buffer): string {
  const path = join(folder, `damaged-${name}`);
  writeFileSync(path, change(readFileSync(join(fixtures, name))));
  return path;
}

async function failureOf(...args: string[]): Promise<HoltError> {
  const error = await dump(...args).then(
    () => null,
    (failure: unknown) => failure,
  );
  if (!(error instanceof HoltError)) throw new Error(`no HoltError: ${String(error)}`);
  return error;
}

const FILES = ['mariadb.binlog', 'mysql.binlog', 'mysql56.binlog'];

describe('holt binlog dump', () => {
  test.each(FILES)('reads all of %s, every line beginning with where the event stands', async (name) => {
    const lines = await dump(join(fixtures, name));
    expect(lines[0]).toMatch(/^ +OFFSET {2}TIME +SERVER {2}KIND +FACTS$/);
    expect(lines[1]).toMatch(/^ +4 {2}2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ +\d+ {2}format-description +server=/);
    expect(lines.length).toBeGreaterThan(200);
    for (const line of lines.slice(1)) expect(line).toMatch(/^ *\d+ {2}(?:\d{4}-\S+Z|- +) +\d+ {2}/);
  });

  test('shows values only with --rows', async () => {
    const path = join(fixtures, 'mysql.binlog');
    expect((await dumpJson(path)).some((event) => event.rows !== undefined)).toBe(false);
    const inserts = (await dumpJson(path, '--rows')).filter((event) => event.kind === 'insert');
    expect(inserts[0]?.rows?.[2]).toEqual({ before: null, after: { id: '3', v: '-1' } });
    expect((await dump(path, '--rows')).some((line) => line === '    + id="3" v="-1"')).toBe(true);
  });

  test('numbers the columns where the log has no names', async () => {
    const events = await dumpJson(join(fixtures, 'mysql56.binlog'), '--rows');
    expect(events.find((event) => event.kind === 'insert')?.rows?.[0]).toEqual({
      before: null,
      after: { '@1': '1', '@2': '0' },
    });
  });

  test('shows both images of an update', async () => {
    const events = await dumpJson(join(fixtures, 'mariadb.binlog'), '--rows');
    const [row] = events.find((event) => event.kind === 'update')?.rows ?? [];
    expect(row?.before).not.toBeNull();
    expect(row?.after).not.toBeNull();
  });

  test('indents what a compressed transaction holds, at the place of its payload', async () => {
    const path = join(fixtures, 'mysql.binlog');
    const events = await dumpJson(path);
    const at = events.findIndex((event) => event.kind === 'transaction-payload');
    expect(at).toBeGreaterThan(0);
    expect(events[at + 1]).toMatchObject({
      inner: true,
      offset: events[at]?.offset,
      kind: 'query',
      sql: 'BEGIN',
    });
    expect((await dump(path))[at + 2]).toMatch(/ {2}query +/);
  });

  test('begins at --start, and ends after --limit events', async () => {
    const path = join(fixtures, 'mariadb.binlog');
    const all = await dumpJson(path);
    const offset = all[40]?.offset ?? 0;
    const some = await dumpJson(path, '--start', String(offset), '--limit', '3');
    expect(some.map((event) => event.offset)).toEqual([4, offset, all[41]?.offset]);
    expect(await dumpJson(path, '--limit', '0')).toEqual([]);
  });

  test('names a table by its id when its map lies before the start', async () => {
    const path = join(fixtures, 'mysql.binlog');
    const insert = (await dumpJson(path)).find((event) => event.kind === 'insert');
    const [, first] = await dumpJson(path, '--start', String(insert?.offset), '--limit', '2', '--rows');
    expect(first).toMatchObject({
      kind: 'insert',
      facts: { table: expect.stringMatching(/^table id \d+$/) },
      rows: [],
    });
  });

  test.each(FILES)('a flipped bit in %s ends it with a code and the place', async (name) => {
    const events = await dumpJson(join(fixtures, name));
    const offset = events[20]?.offset ?? 0;
    const path = damaged(name, (bytes) => {
      bytes[offset + 21] = (bytes[offset + 21] ?? 0) ^ 1;
      return bytes;
    });
    const error = await failureOf(path);
    expect(error.code).toBe('HOLT_EVENT_CHECKSUM');
    expect(error.message).toContain(`event at ${offset}`);
    expect(exitCodeOf(error)).toBe(1);
  });

  test('a file that ends within an event, or is no binlog, or is not there, is told so', async () => {
    const cut = damaged('mysql.binlog', (bytes) => bytes.subarray(0, bytes.length - 3));
    expect((await failureOf(cut)).code).toBe('HOLT_BINLOG_FILE_INVALID');
    expect((await failureOf(join(fixtures, 'README.md'))).message).toMatch(
      /README\.md: it is no binlog file, it begins with/,
    );
    const missing = await failureOf(join(folder, 'nowhere'));
    expect(missing.code).toBe('HOLT_BINLOG_FILE_INVALID');
    expect(missing.message).toContain('no such file');
    expect((await failureOf(folder)).code).toBe('HOLT_BINLOG_FILE_INVALID');
  });

  test('a start in the middle of an event is refused with a hint', async () => {
    const error = await failureOf(join(fixtures, 'mysql.binlog'), '--start', '300');
    expect(error.code).toMatch(/^HOLT_(BINLOG_FILE_INVALID|EVENT_[A-Z]+)$/);
    expect(error.remedy).toContain('an event begins at 300');
  });

  test('a limit that is no number is a matter of usage', async () => {
    await expect(dump(join(fixtures, 'mysql.binlog'), '--limit', 'many')).rejects.toThrow(CommanderError);
  });

  test('control characters of a statement do not reach the terminal', async () => {
    for (const name of FILES)
      for (const line of await dump(join(fixtures, name), '--rows')) expect(/\p{Cc}/u.test(line)).toBe(false);
  });
});
