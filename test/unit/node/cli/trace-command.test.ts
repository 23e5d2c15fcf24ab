import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HoltError } from '../../../../lib/errors.ts';
import { addTraceCommand, traceText } from '../../../../node/cli/trace-command.ts';
import { addWaitCommand } from '../../../../node/cli/wait-command.ts';
import type { TraceRequest, TraceView } from '../../../../node/trace/trace.ts';
import { ApiBench, ROOT_TOKEN } from '../../../support/api-bench.ts';
import { madeUpTrace } from '../../../support/made-up-trace.ts';

const asked: TraceRequest[] = [];
let answer: TraceView['state'] = 'found';
let bench: ApiBench;

beforeAll(async () => {
  process.env.HOLT_TOKEN = ROOT_TOKEN;
  bench = await ApiBench.start({
    operations: {
      startTrace: (_name: string, request: TraceRequest) => {
        asked.push(request);
        return Promise.resolve(madeUpTrace('running'));
      },
      trace: () => Promise.resolve(madeUpTrace(answer)),
      wait: (pipeline: string, { gtid }: { readonly gtid: string | null }) =>
        gtid === 'late'
          ? Promise.reject(
              new HoltError('HOLT_WAIT_TIMEOUT', 'p has not reached it: load on b holds the oldest change', {
                facts: {
                  ...{
                    waitedFor: 'late',
                    checkpoint: 'c',
                    state: 'running',
                    stage: 'load',
                    holder: 'b',
                    lagMs: 5,
                  },
                },
              }),
            )
          : Promise.resolve({
              pipeline,
              waitedFor: gtid ?? 'now',
              waitedMs: 12,
              by: 'checkpoint',
              checkpoint: 'c',
            }),
    },
  });
});
afterAll(async () => {
  delete process.env.HOLT_TOKEN;
  await bench[Symbol.asyncDispose]();
});

async function run(...args: string[]): Promise<{ readonly text: string; readonly code: number }> {
  const lines: string[] = [];
  let code = 0;
  const program = new Command('holt').exitOverride();
  const terminal = {
    out: (text: string) => lines.push(text),
    interactive: false,
    width: () => Number.POSITIVE_INFINITY,
    exit: (given: number) => {
      code = given;
    },
    signal: new AbortController().signal,
  };
  addTraceCommand(program, terminal);
  addWaitCommand(program, terminal);
  await program.parseAsync(['node', 'holt', ...args, '--server', bench.url]);
  return { text: lines.join('\n'), code };
}

describe('holt trace', () => {
  test('tells what has become of a change, with the time of each stage', () => {
    expect(traceText(madeUpTrace('found'), false, 200)).toBe(
      [
        'change     update of amount, changed',
        'committed  2026-11-21 13:04:05.250 UTC (the log says the second only)',
        'at         binlog.000042:90112733, GTID 0-1-48213',
        'now        applied: applied by ore-2 in batch 12-48120',
        'applied    2026-11-21 13:04:05.481 UTC',
        '',
        'STAGE        TOOK  DONE                         NODE',
        'select      14 ms  2026-11-21 13:04:05.264 UTC  -',
        'extract      9 ms  2026-11-21 13:04:05.273 UTC  -',
        'transform  118 ms  2026-11-21 13:04:05.391 UTC  -',
        'load        90 ms  2026-11-21 13:04:05.481 UTC  ore-2',
        '',
        'a row with this key now: at the source there, at the target there',
      ].join('\n'),
    );
    expect(traceText(madeUpTrace('found'), true, 200)).toContain('after      order_id=4711 line=3');
  });

  test('asks for a key of several columns, or for columns with NULL among them', async () => {
    answer = 'found';
    const { text, code } = await run(
      'trace',
      'p',
      'shop.items',
      '7',
      'a,b',
      '--last',
      '6h',
      '--max-bytes',
      '2g',
    );
    expect(text).toContain('applied by ore-2');
    expect(code).toBe(0);
    expect(asked.at(-1)).toEqual({
      table: 'shop.items',
      key: ['7', 'a,b'],
      lastMs: 21_600_000,
      maxBytes: 2 * 1024 ** 3,
    });
    await run('trace', 'p', 'shop.journal', '--where', 'what=a=b', '--where', 'note', '-o', 'json');
    expect(asked.at(-1)?.where).toEqual({ what: 'a=b', note: null });
  });

  test('exits with 4 when there is no change of the key, and with the code of what was wrong', async () => {
    answer = 'not-found';
    const none = await run('trace', 'p', 'shop.items', '7');
    expect(none.code).toBe(4);
    expect(none.text).toMatch(/no change of this key was found.*\n.*\n.*purged/);
    answer = 'failed';
    await expect(run('trace', 'p', 'shop.items', 'x')).rejects.toMatchObject({ code: 'HOLT_TRACE_KEY' });
    for (const args of [
      ['trace', 'p', 'shop.items'],
      ['trace', 'p', 'shop.items', '1', '--where', 'a=1'],
    ])
      await expect(run(...args)).rejects.toMatchObject({ code: 'HOLT_REQUEST_INVALID' });
  });
});

describe('holt wait', () => {
  test('says when the target has it, and fails with the code where it has not in time', async () => {
    expect((await run('wait', 'p', '--now')).text).toBe('p: the target has it after 12 ms');
    expect((await run('wait', 'p', '--gtid', '0-1-5', '-o', 'wide')).text).toContain('waited for  0-1-5');
    await expect(run('wait', 'p', '--gtid', 'late')).rejects.toMatchObject({
      code: 'HOLT_WAIT_TIMEOUT',
      message: expect.stringContaining('load on b'),
    });
    await expect(run('wait', 'p')).rejects.toMatchObject({ code: 'HOLT_REQUEST_INVALID' });
    await expect(run('wait', 'p', '--now', '--gtid', 'x')).rejects.toMatchObject({
      code: 'HOLT_REQUEST_INVALID',
    });
  });
});
