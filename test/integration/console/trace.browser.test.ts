import { afterAll, beforeAll, expect, it } from 'vitest';
import { HoltError } from '../../../lib/errors.ts';
import type { TraceRequest, TraceView } from '../../../node/trace/trace.ts';
import { ConsoleBench } from '../../support/console-bench.ts';
import { MadeUpInstallation } from '../../support/made-up-installation.ts';
import { madeUpTrace } from '../../support/made-up-trace.ts';
import { describeBrowser } from '../../support/shared-servers.ts';

const PIPELINE = 'orders-frankfurt-oregon';

describeBrowser('the page Trace', () => {
  let bench: ConsoleBench;
  const asked: { readonly pipeline: string; readonly request: TraceRequest }[] = [];
  const cancelled: string[] = [];
  /** What the next question gets; `running` stays so. */
  let next: TraceView['state'] = 'found';

  beforeAll(async () => {
    const installation = new MadeUpInstallation();
    const { bench: given } = installation;
    Object.defineProperty(installation, 'bench', {
      value: {
        ...given,
        operations: {
          ...given.operations,
          startTrace: (pipeline: string, request: TraceRequest) => {
            asked.push({ pipeline, request });
            return Promise.resolve(madeUpTrace('running'));
          },
          trace: () => Promise.resolve(madeUpTrace(next)),
          cancelTrace: (_pipeline: string, id: string) => {
            cancelled.push(id);
            return Promise.resolve(madeUpTrace('running'));
          },
        },
      },
    });
    bench = await ConsoleBench.start({ installation });
  }, 240_000);
  afterAll(() => bench?.[Symbol.asyncDispose]());

  it('asks for a key, and tells what has become of it', async () => {
    next = 'found';
    const page = await bench.open('/trace', { role: 'operator' });
    await page.getByLabel('Pipeline').selectOption(PIPELINE);
    await page.getByLabel('Table').fill('shop.orders');
    const button = page.getByRole('button', { name: 'Trace' });
    expect(await button.isDisabled()).toBe(true);
    await page.getByLabel('Key', { exact: false }).last().fill('4711\n3');
    await button.click();
    await page.getByText('Applied', { exact: true }).first().waitFor();
    expect(asked.at(-1)).toMatchObject({
      pipeline: PIPELINE,
      request: { table: 'shop.orders', key: ['4711', '3'], lastMs: 3_600_000 },
    });
    for (const stage of ['select', 'extract', 'transform', 'load'])
      await page.getByRole('rowheader', { name: stage }).waitFor();
    await page.getByText('0-1-48213').waitFor();
    // The values are behind the #: no server writes them down.
    const url = new URL(page.url());
    expect(url.search).toBe(`?pipeline=${PIPELINE}&table=shop.orders`);
    expect(url.hash).toBe('#key=4711&key=3');
    expect(await bench.axe(page)).toEqual([]);
    expect(bench.takeTrouble()).toEqual([]);
    await page.context().close();
  });

  it('a link asks by itself, in both themes', async () => {
    for (const theme of ['light', 'dark'] as const) {
      next = 'not-found';
      const page = await bench.open(
        `/trace?pipeline=${PIPELINE}&table=shop.journal&last=21600#where=what%3Dpaid&where=note`,
        {
          role: 'operator',
          theme,
        },
      );
      await page.getByText('No change of this key was found').waitFor();
      await page.getByText("the source's older logs are purged", { exact: false }).waitFor();
      expect(asked.at(-1)?.request).toMatchObject({
        table: 'shop.journal',
        where: { what: 'paid', note: null },
        lastMs: 21_600_000,
      });
      expect(await bench.axe(page)).toEqual([]);
      await page.context().close();
    }
    expect(bench.takeTrouble()).toEqual([]);
  });

  it('shows how far the search is, and ends it when it is stopped', async () => {
    next = 'running';
    const page = await bench.open(`/trace?pipeline=${PIPELINE}&table=shop.orders#key=1`, {
      role: 'operator',
    });
    await page.getByText('binlog.000042').waitFor();
    expect(await bench.axe(page)).toEqual([]);
    cancelled.length = 0;
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('button', { name: 'Trace' }).waitFor();
    await expect.poll(() => cancelled.length, { timeout: 30_000 }).toBe(1);
    await page.context().close();
  });

  it('says what is wrong with a question, with its code and what to do', async () => {
    next = 'failed';
    const page = await bench.open(`/trace?pipeline=${PIPELINE}&table=shop.orders#key=x`, {
      role: 'operator',
    });
    await page.getByText('HOLT_TRACE_KEY').waitFor();
    expect(await bench.axe(page)).toEqual([]);
    await page.context().close();
  });

  it('is not for viewers', async () => {
    const page = await bench.open('/trace', { role: 'viewer' });
    await page.getByText('This page is for the role operator.').waitFor();
    expect(await page.getByRole('link', { name: 'Trace' }).count()).toBe(0);
    await page.context().close();
    const refused = bench.api
      .client('not-a-token')
      .startTrace(PIPELINE, { table: 'a.b', key: ['1'], lastMs: 1_000, maxBytes: 1 });
    await expect(refused).rejects.toBeInstanceOf(HoltError);
  });
});
