/** The console in Chromium: the shell, the overview, pipelines, batches, nodes; each page looked over by axe-core. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { HoltError } from '../../../lib/errors.ts';
import { CONSOLE_PAGES } from '../../cases/console-pages.ts';
import type { Page } from '../../support/browser.ts';
import { ConsoleBench, PASSWORD } from '../../support/console-bench.ts';
import { MadeUpInstallation, parkedTable } from '../../support/made-up-installation.ts';
import { describeBrowser } from '../../support/shared-servers.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';

const PIPELINE = 'orders-frankfurt-oregon';

describeBrowser('the console', () => {
  let bench: ConsoleBench;
  let installation: MadeUpInstallation;

  beforeAll(async () => {
    installation = new MadeUpInstallation({ more: 500 });
    bench = await ConsoleBench.start({ installation });
  });
  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    installation.asked.length = 0;
    bench.takeTrouble();
  });

  /** What was asked of the installation last, of this kind. */
  const asked = (what: string) =>
    waitFor(async () => installation.asked.findLast((one) => one.what === what) ?? null, {
      timeoutMs: 30_000,
      what: `${what} to be asked for`,
    });

  const confirm = async (page: Page, button: string, reason?: string) => {
    const dialog = page.getByRole('dialog');
    if (reason !== undefined) await dialog.getByLabel('Reason').fill(reason);
    await dialog.getByRole('button', { name: button }).click();
    await dialog.waitFor({ state: 'detached' });
  };

  describe('the door', () => {
    it('takes name and password, says what is wrong, leads where one wanted to go, and out again', async () => {
      const page = await bench.open('/nodes', { role: null });
      await page.getByLabel('Name').fill('viewer');
      await page.getByLabel('Password').fill('not it');
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.getByText('HOLT_LOGIN_FAILED').waitFor();
      expect(await bench.axe(page)).toEqual([]);
      await page.getByLabel('Password').fill(PASSWORD);
      await page.getByLabel('Password').press('Enter');
      await page.getByRole('heading', { name: 'Nodes and sites' }).waitFor();
      await page.getByRole('button', { name: 'Log out' }).click();
      await page.getByRole('button', { name: 'Log in' }).waitFor();
      await page.reload();
      await page.getByLabel('Password').waitFor();
      expect(bench.takeTrouble()).toEqual([]);
      await page.context().close();
    });

    it('comes back when the login is over', async () => {
      const page = await bench.open('/pipelines', { role: 'viewer' });
      await page.getByRole('link', { name: PIPELINE }).waitFor();
      await page.context().clearCookies();
      await page.getByRole('link', { name: 'Nodes and sites' }).click();
      await page.getByText('Your login is over').waitFor();
      await page.context().close();
    });
  });

  it.each(CONSOLE_PAGES)('%s opens by its address, and axe-core finds nothing', async (path, sight) => {
    const page = await bench.open(path);
    await page.getByText(sight).first().waitFor();
    expect(await bench.axe(page)).toEqual([]);
    expect(bench.takeTrouble()).toEqual([]);
    await page.context().close();
  });

  it('shows what changes without being loaded again, and says so when it cannot', async () => {
    const page = await bench.open(`/pipelines/${PIPELINE}`);
    await page.getByRole('heading', { level: 1 }).getByText('running').waitFor();
    installation.change(PIPELINE, { state: 'degraded', reason: 'nothing has moved for 3.0 s' });
    await page.getByRole('heading', { level: 1 }).getByText('degraded').waitFor();
    await page.getByText('nothing has moved for 3.0 s').waitFor();
    const badge = page.locator('.live');
    await expect.poll(() => badge.getAttribute('data-state'), { timeout: 30_000 }).toBe('Live');
    installation.outage = new HoltError('HOLT_COORDINATION_LOST', 'the tree does not answer', {
      disposition: 'retry',
    });
    await page.getByText('The node cannot look at the installation').waitFor();
    expect(await badge.getAttribute('data-state')).toBe('Not current');
    expect(await bench.axe(page)).toEqual([]);
    installation.outage = null;
    await expect.poll(() => badge.getAttribute('data-state'), { timeout: 30_000 }).toBe('Live');
    installation.change(PIPELINE, { state: 'running', reason: null });
    await page.getByRole('heading', { level: 1 }).getByText('running').waitFor();
    await page.context().close();
  });

  describe('the list of pipelines', () => {
    it('has five hundred, of which those in sight are in the page; filter and order are in the address', async () => {
      const page = await bench.open('/pipelines?sort=-lag');
      const rows = page.locator('table tbody tr:not(.gap)');
      await rows.first().waitFor();
      expect(await rows.count()).toBeLessThan(120);
      expect(await page.locator('table').getAttribute('aria-rowcount')).toBe(
        String(installation.pipelines.length + 1),
      );
      expect(await rows.first().textContent()).toContain('billing-oregon-frankfurt');
      await page.mouse.move(700, 600);
      await page.mouse.wheel(0, 30_000);
      await page.getByRole('link', { name: 'audit-singapore-frankfurt' }).waitFor();
      // What nobody knows is last.
      expect(await rows.last().textContent()).toContain('audit-singapore-frankfurt');
      await page.keyboard.press('/');
      await page.keyboard.type('tenant-49 oregon');
      await expect.poll(() => rows.count(), { timeout: 30_000 }).toBeLessThan(10);
      expect(new URL(page.url()).searchParams.get('q')).toBe('tenant-49 oregon');
      await page.getByRole('button', { name: 'Pipeline', exact: true }).press('Enter');
      expect(new URL(page.url()).searchParams.get('sort')).toBeNull();
      await page.reload();
      await expect.poll(() => rows.count(), { timeout: 30_000 }).toBeLessThan(10);
      await page.getByRole('button', { name: 'Need attention' }).click();
      await page.getByText('None fits').waitFor();
      await page.getByLabel('Filter pipelines').fill('');
      await page.getByRole('link', { name: 'billing-oregon-frankfurt' }).click();
      await page.getByRole('heading', { level: 1, name: /billing-oregon-frankfurt/ }).waitFor();
      await page.goBack();
      await page.getByRole('heading', { level: 1, name: 'Pipelines' }).waitFor();
      await page.context().close();
    });
  });

  describe('a pipeline', () => {
    it('names the stage that holds the lag, by word', async () => {
      const page = await bench.open('/pipelines/catalogue-frankfurt-singapore');
      const stages = page.getByRole('list', { name: 'Stages' });
      await stages.waitFor();
      expect(await stages.locator('[data-stage=select]').textContent()).toContain('holds the lag');
      expect(await stages.locator('[data-stage=load]').textContent()).not.toContain('holds the lag');
      expect(await page.locator('.headline').textContent()).toContain('held by Select');
      await page.context().close();
    });

    it('is paused and resumed by an operator, who is asked first and says why', async () => {
      const page = await bench.open(`/pipelines/${PIPELINE}`, { role: 'operator' });
      await page.getByRole('button', { name: 'Pause' }).click();
      expect(await page.getByRole('dialog').textContent()).toContain(PIPELINE);
      expect(await bench.axe(page)).toEqual([]);
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      expect(await page.evaluate('document.activeElement?.textContent?.trim()')).toBe('Pause');
      expect(installation.asked).toEqual([]);
      await page.keyboard.press('Enter');
      await confirm(page, 'Pause pipeline', 'index rebuild');
      expect(await asked('setDesired')).toEqual({
        what: 'setDesired',
        of: PIPELINE,
        with: { desired: 'paused', by: 'operator', why: 'index rebuild' },
      });
      await page.getByText(`${PIPELINE} pauses.`).waitFor();
      await page.getByText('paused by operator: index rebuild').waitFor();
      await page.getByRole('button', { name: 'Resume' }).click();
      await confirm(page, 'Resume pipeline');
      await expect
        .poll(() => installation.asked.at(-1), { timeout: 30_000 })
        .toMatchObject({ with: { desired: 'running' } });
      await page.getByRole('button', { name: 'Restart' }).click();
      await confirm(page, 'Restart pipeline');
      expect(await asked('restart')).toMatchObject({ what: 'restart', of: PIPELINE });
      expect(bench.takeTrouble()).toEqual([]);
      await page.context().close();
    });

    it('is stopped with a reason only, and deleted by an administrator who types its name', async () => {
      const page = await bench.open('/pipelines/tenant-500');
      await page.getByRole('button', { name: 'Stop' }).click();
      expect(await page.getByRole('button', { name: 'Stop pipeline' }).isDisabled()).toBe(true);
      await confirm(page, 'Stop pipeline', 'no longer needed');
      await page.getByRole('button', { name: 'Delete' }).click();
      await page.getByRole('dialog').getByLabel('Reason').fill('gone');
      expect(await page.getByRole('button', { name: 'Delete pipeline' }).isDisabled()).toBe(true);
      await page.getByRole('dialog').getByLabel(/Type/).fill('tenant-500');
      await confirm(page, 'Delete pipeline');
      expect(await asked('deletePipeline')).toMatchObject({ what: 'deletePipeline', of: 'tenant-500' });
      await page.getByRole('heading', { level: 1, name: 'Pipelines' }).waitFor();
      await page.context().close();
    });

    it('says in the dialog what the API refused, with the code and what to do', async () => {
      const page = await bench.open('/nodes', { role: 'operator' });
      await page.getByRole('row', { name: /sin-1/ }).getByRole('button', { name: 'Drain' }).click();
      await page.getByRole('button', { name: 'Drain node' }).click();
      await page.getByRole('dialog').getByText('HOLT_NODE_NEEDED').waitFor();
      expect(await page.getByRole('dialog').textContent()).toContain('What to do');
      await page.context().close();
    });

    it('has tables that are parked and resumed', async () => {
      const table = parkedTable('shop.carts', 'does not fit', 'Holt');
      installation.parked.set(PIPELINE, [table]);
      installation.change(PIPELINE, { parked: [table] });
      const page = await bench.open(`/pipelines/${PIPELINE}`, { role: 'operator' });
      await page
        .getByRole('row', { name: /shop.carts/ })
        .getByRole('button', { name: 'Resume' })
        .click();
      await confirm(page, 'Resume table');
      expect(await asked('resumeTable')).toMatchObject({ what: 'resumeTable', of: `${PIPELINE} shop.carts` });
      await page.getByLabel('Park a table').fill('shop.orders');
      await page.getByRole('button', { name: 'Park…' }).click();
      await confirm(page, 'Park table', 'the index is rebuilt');
      expect(await asked('parkTable')).toMatchObject({
        what: 'parkTable',
        of: `${PIPELINE} shop.orders`,
        with: { why: 'the index is rebuilt' },
      });
      await page.context().close();
    });

    it('shows its batches on their way, each with a page of its own that can be retried', async () => {
      const page = await bench.open(`/pipelines/${PIPELINE}`, { role: 'operator' });
      const line = page.getByRole('list', { name: 'Batches, newest first' });
      await line.waitFor();
      expect(await line.getByRole('listitem').count()).toBeGreaterThan(10);
      await line.getByRole('link', { name: /90409.*at Load/ }).click();
      await page.getByRole('heading', { level: 1, name: /Batch 90409/ }).waitFor();
      await page.getByText('So far').waitFor();
      await page.getByRole('button', { name: 'Retry' }).click();
      await confirm(page, 'Retry batch', 'it hangs');
      expect(await asked('retryBatch')).toMatchObject({
        what: 'retryBatch',
        with: { why: 'it hangs', by: 'operator' },
      });
      await page.goBack();
      await line.getByRole('link', { name: /Batch 90404.*applied/ }).click();
      await page.getByText('Commit to commit').waitFor();
      await page.context().close();
    });

    it('draws lag and throughput of the range in the address', async () => {
      const page = await bench.open(`/pipelines/${PIPELINE}?range=24h`);
      await page.getByRole('img', { name: /^Lag\. greatest lag: .* at the end/ }).waitFor();
      expect(await page.getByRole('button', { name: '24 hours' }).getAttribute('aria-pressed')).toBe('true');
      await page.getByRole('button', { name: '15 min' }).click();
      await expect.poll(() => new URL(page.url()).searchParams.get('range'), { timeout: 30_000 }).toBe('15m');
      await page.getByRole('img', { name: /^Throughput/ }).waitFor();
      await page.context().close();
    });
  });

  it('offers no action to who may only look', async () => {
    const page = await bench.open(`/pipelines/${PIPELINE}`, { role: 'viewer' });
    await page.getByText('Checkpoint').first().waitFor();
    for (const name of ['Pause', 'Stop', 'Restart', 'Park…'])
      expect(await page.getByRole('button', { name, exact: true }).count()).toBe(0);
    await page.getByRole('link', { name: 'Nodes and sites' }).click();
    await page.getByRole('table', { name: 'Clocks' }).waitFor();
    expect(await page.getByRole('button', { name: 'Drain' }).count()).toBe(0);
    expect(await page.getByText('Log level of').count()).toBe(0);
    await page.context().close();
  });

  it('drains a node and takes it back, and an administrator changes what it logs', async () => {
    const page = await bench.open('/nodes');
    const row = page.getByRole('row', { name: /ore-2/ });
    await row.getByRole('button', { name: 'Drain' }).click();
    await confirm(page, 'Drain node', 'new kernel');
    expect(await asked('drain')).toMatchObject({ what: 'drain', of: 'ore-2' });
    await row.getByText('drained').waitFor();
    await row.getByRole('button', { name: 'Undrain' }).click();
    await confirm(page, 'Undrain node');
    expect(await asked('undrain')).toMatchObject({ what: 'undrain', of: 'ore-2' });
    await page.getByLabel('Node', { exact: true }).selectOption('sin-1');
    await page.getByLabel('Log level of sin-1').selectOption('debug');
    expect(await asked('setLogLevel')).toEqual({ what: 'setLogLevel', of: 'sin-1', with: 'debug' });
    await page.context().close();
  });

  it('is used with the keyboard alone: skip link, menu, table, theme', async () => {
    const page = await bench.open('/', { role: 'viewer' });
    await page.getByText('Worst lag first').first().waitFor();
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement?.textContent')).toBe('Skip to content');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Pipelines' }).waitFor();
    expect(await page.title()).toBe('Pipelines · Holt');
    // Whoever listens is told where he is.
    expect(await page.evaluate('document.activeElement?.tagName')).toBe('H1');
    await page.getByRole('button', { name: 'Dark theme' }).press('Enter');
    expect(await page.evaluate('document.documentElement.dataset.theme')).toBe('dark');
    await page.reload();
    await page.getByRole('button', { name: 'Light theme' }).waitFor();
    expect(await page.evaluate('getComputedStyle(document.documentElement).colorScheme')).toBe('dark');
    await page.context().close();
  });

  it('says when it lost the node, and goes on by itself', async () => {
    await using proxy = await TcpProxy.start({
      target: { host: '127.0.0.1', port: Number(new URL(bench.api.url).port) },
    });
    const page = await bench.open('/pipelines?q=billing', { url: `http://127.0.0.1:${proxy.port}` });
    const badge = page.locator('.live');
    await expect.poll(() => badge.getAttribute('data-state'), { timeout: 30_000 }).toBe('Live');
    proxy.refuse();
    proxy.cut();
    await page.getByText('The connection to the node is lost').waitFor();
    expect(await badge.getAttribute('data-state')).toBe('Reconnecting');
    await page.getByText('What is below was so at').waitFor();
    installation.change('billing-oregon-frankfurt', { state: 'paused', reason: 'paused by ann' });
    proxy.heal();
    await page
      .getByRole('row', { name: /billing/ })
      .getByText('paused', { exact: true })
      .waitFor();
    await expect.poll(() => badge.getAttribute('data-state'), { timeout: 30_000 }).toBe('Live');
    await page.context().close();
  });
});

describeBrowser('the console of a new installation', () => {
  let bench: ConsoleBench;
  beforeAll(async () => {
    bench = await ConsoleBench.start({ accounts: false });
  });
  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
  });

  it('makes the first account with the setup token, and lets in', async () => {
    const offer = await bench.api.accounts.offerSetup();
    const page = await bench.open('/', { role: null });
    await page.getByRole('heading', { name: 'Make the first account' }).waitFor();
    expect(await bench.axe(page)).toEqual([]);
    await page.getByLabel('Setup token').fill('holt_setup_wrong');
    await page.getByLabel('Name').fill('ann');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Make it and log in' }).click();
    await page.getByText('HOLT_SETUP_REFUSED').waitFor();
    await page.getByLabel('Setup token').fill(offer?.token ?? '');
    await page.getByRole('button', { name: 'Make it and log in' }).click();
    await page.getByText('Worst lag first').first().waitFor();
    expect(bench.takeTrouble()).toEqual([]);
  });
});
