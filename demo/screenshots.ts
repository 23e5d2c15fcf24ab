/**
 * npm run screenshots [-- NAME…]
 *
 * Pictures of every page of the console in both themes, on a made-up installation, into docs/console.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '../test/support/browser.ts';
import { ConsoleBench } from '../test/support/console-bench.ts';
import { repositoryRoot } from '../test/support/inventory.ts';
import { MadeUpInstallation, parkedTable } from '../test/support/made-up-installation.ts';

interface Shot {
  readonly name: string;
  readonly path: string;
  /** Until this is to be seen. */
  readonly until: string;
  readonly role?: null;
  readonly prepare?: (page: Page) => Promise<void>;
}

const PIPELINE = 'orders-frankfurt-oregon';

const SHOTS: readonly Shot[] = [
  { name: 'login', path: '/', until: 'Log in', role: null },
  { name: 'overview', path: '/', until: 'Worst lag first' },
  { name: 'pipelines', path: '/pipelines?sort=state', until: 'billing-oregon-frankfurt' },
  { name: 'pipeline', path: `/pipelines/${PIPELINE}`, until: 'Checkpoint' },
  {
    name: 'batch',
    path: `/pipelines/${PIPELINE}/batches/0000000017-00000000000000090404`,
    until: 'Commit to commit',
  },
  {
    name: 'trace',
    path: `/trace?pipeline=${PIPELINE}&table=shop.order_items#key=4711&key=3`,
    until: 'Where its time went',
  },
  { name: 'nodes', path: '/nodes', until: 'database sin-db' },
  { name: 'alarms', path: '/alarms', until: 'does not answer' },
  { name: 'conflicts', path: `/ledger?pipeline=${PIPELINE}`, until: 'Parent row is missing' },
  { name: 'conflict', path: `/ledger/${PIPELINE}/31`, until: 'cancelled' },
  { name: 'schema-changes', path: `/ddl?pipeline=${PIPELINE}`, until: 'basket_cache' },
  { name: 'schema-change', path: `/ddl/${PIPELINE}/7`, until: 'its end is not written' },
  { name: 'comparisons', path: `/checks?pipeline=${PIPELINE}`, until: '118 of 412' },
  {
    name: 'comparison',
    path: `/checks/${PIPELINE}/9a8b7c6d5e4f3a2b`,
    until: 'missing at the target',
  },
  { name: 'config', path: `/config?pipeline=${PIPELINE}`, until: 'through the API' },
  { name: 'config-history', path: `/config?pipeline=${PIPELINE}&show=history`, until: 'Put back' },
  { name: 'config-compare', path: `/config?pipeline=${PIPELINE}&show=compare`, until: 'batch.window' },
  {
    name: 'config-change',
    path: `/config?pipeline=${PIPELINE}&show=edit`,
    until: 'in place of version',
    prepare: async (page) => {
      const text = page.getByLabel('Configuration as JSON');
      await text.fill((await text.inputValue()).replace('"window": 8', '"window": 12'));
      await page.getByRole('button', { name: 'Check' }).click();
      await page.getByRole('row', { name: /batch\.window/ }).waitFor();
    },
  },
  { name: 'coordination-claims', path: '/coordination', until: 'mainstem' },
  {
    name: 'coordination-tree',
    path: `/coordination?show=tree&path=/seda/pipeline/${PIPELINE}`,
    until: 'history',
  },
  { name: 'accounts', path: '/accounts', until: 'New account' },
  { name: 'audit', path: '/audit', until: 'login' },
  { name: 'account', path: '/account', until: 'New password again' },
  { name: 'about', path: '/about', until: 'holt-verify-fra-1' },
  {
    name: 'pause',
    path: `/pipelines/${PIPELINE}`,
    until: 'Checkpoint',
    prepare: async (page) => {
      await page.getByRole('button', { name: 'Pause' }).click();
      await page.getByLabel('Reason').fill('index rebuild in Oregon until 16:00');
    },
  },
];

async function main(): Promise<void> {
  const wanted = process.argv.slice(2);
  const folder = join(repositoryRoot(), 'docs/console');
  mkdirSync(folder, { recursive: true });
  const installation = new MadeUpInstallation();
  const table = parkedTable('shop.carts', 'column "total" does not fit', 'Holt');
  installation.parked.set(PIPELINE, [table]);
  installation.change(PIPELINE, { parked: [table] });
  await using bench = await ConsoleBench.start({ installation });
  const ticking = setInterval(() => installation.tick(), 500);
  try {
    for (const { name, path, until, role, prepare } of SHOTS) {
      if (wanted.length > 0 && !wanted.includes(name)) continue;
      for (const theme of ['light', 'dark'] as const) {
        const page = await bench.open(path, { theme, ...(role === undefined ? {} : { role }) });
        await page.getByText(until).first().waitFor();
        await page.waitForLoadState('load');
        await page.evaluate('document.fonts.ready.then(() => true)');
        // Charts and the sparkline want a few looks.
        await page.waitForTimeout(name === 'overview' ? 9_000 : 1_500);
        await prepare?.(page);
        const picture = await page.screenshot({ fullPage: name !== 'pause' });
        writeFileSync(join(folder, `${name}-${theme}.png`), picture);
        process.stdout.write(`docs/console/${name}-${theme}.png ${Math.round(picture.length / 1024)} KiB\n`);
        await page.context().close();
      }
    }
  } finally {
    clearInterval(ticking);
  }
  const trouble = bench.takeTrouble();
  if (trouble.length > 0) throw new Error(`the pages complained:\n${trouble.join('\n')}`);
}

await main();
