/**
 * The console on an installation of five hundred pipelines in ZooKeeper, twenty of which move: how soon there is something to be seen,
 * and whether a page follows what happens. Real nodes, real servers, real Chromium.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import { pipelineId } from '../../model/ids.ts';
import { TreePipelineStore } from '../../scheduler/pipeline-store.ts';
import { zookeeperTree } from '../../scheduler/tree/zookeeper/zookeeper-tree.ts';
import { type Browser, type BrowserContext, launchBrowser } from '../support/browser.ts';
import { buildConsole } from '../support/console-bench.ts';
import type { Database } from '../support/database.ts';
import { HoltInstallation } from '../support/holt-installation.ts';
import { startDatabase, startZookeeper } from '../support/servers.ts';
import { describeBrowser } from '../support/shared-servers.ts';

const ALL = 500;
const MOVING = 20;
const PASSWORD = 'correct horse battery staple';

const names = Array.from({ length: ALL }, (_, index) => `tenant-${String(index + 1).padStart(3, '0')}`);
const moving = names.slice(0, MOVING);
const schemaOf = (name: string) => name.replace('-', '_');

describeBrowser('the console with five hundred pipelines, twenty of which move', () => {
  const resources: AsyncDisposable[] = [];
  let holt: HoltInstallation;
  let browser: Browser;
  let context: BrowserContext;
  let isWriting = true;
  let writing: Promise<void> = Promise.resolve();

  beforeAll(async () => {
    await buildConsole();
    const settings = { max_connections: '1000' };
    const [east, west, zookeeper] = await Promise.all([
      startDatabase('mariadb', { settings }),
      startDatabase('mariadb', { settings }),
      startZookeeper(),
    ]);
    resources.push(east, west, zookeeper);
    for (const { db } of [east, west])
      for (const name of moving) {
        await db.query(`CREATE DATABASE ${schemaOf(name)}`);
        await db.query(`CREATE TABLE ${schemaOf(name)}.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(40))`);
      }
    holt = await HoltInstallation.create({
      databases: { east: east.db.endpoint, west: west.db.endpoint },
      zookeeper: `127.0.0.1:${zookeeper.port}`,
      sessionTimeout: '10s',
      nodes: { 'east-1': 'east', 'west-1': 'west' },
      pipelines: null,
      // A channel each: they have nothing to do with one another.
      channels: Object.fromEntries(
        names.map((name) => [
          `channel-${name}`,
          {
            pipelines: {
              [name]: { source: 'east-db', target: 'west-db', start: 'now', tables: [`${schemaOf(name)}.*`] },
            },
          },
        ]),
      ),
    });
    resources.push(holt);
    await stopTheOthers(zookeeper.port);
    await holt.start();
    await waitFor(
      async () =>
        (await Promise.all(moving.map((name) => holt.status(name)))).every((one) => one?.state === 'idle'),
      { timeoutMs: 300_000, pollMs: 500, what: 'the twenty to begin' },
    );
    writing = write(east.db);
    const [node] = holt.nodes.values();
    if (node === undefined) throw new Error('no node');
    await node.api.createUser({ name: 'ann', role: 'operator', pipelines: null, password: PASSWORD });
    browser = await launchBrowser();
    context = await browser.newContext({ baseURL: node.apiUrl, viewport: { width: 1440, height: 900 } });
    context.setDefaultTimeout(60_000);
    const answer = await context.request.post('/api/v1/session', {
      data: { name: 'ann', password: PASSWORD },
    });
    expect(answer.status()).toBe(201);
  }, 900_000);

  afterAll(async () => {
    isWriting = false;
    await writing.catch(() => {});
    await browser?.close();
    for (const one of resources.reverse()) await one[Symbol.asyncDispose]();
  });

  /** As if they had been stopped long ago: what is wanted of them stands in ZooKeeper before a node starts. */
  async function stopTheOthers(port: number): Promise<void> {
    const tree = zookeeperTree({ connectString: `127.0.0.1:${port}`, sessionTimeoutMs: 10_000 });
    const running = tree.run();
    await tree.whenConnected();
    const record = {
      version: 1,
      desired: 'stopped',
      by: 'ann',
      why: 'later',
      code: null,
      sinceMs: Date.now(),
    } as const;
    await Promise.all(
      names
        .slice(MOVING)
        .map((name) => new TreePipelineStore(tree, pipelineId(name)).desired.set(record, 'any')),
    );
    await tree.stop();
    await running;
  }

  async function write(db: Database): Promise<void> {
    while (isWriting) {
      for (const name of moving) await db.query(`INSERT INTO ${schemaOf(name)}.t (v) VALUES (UUID())`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  it('shows something within a second, and all of them soon', async () => {
    const paints: number[] = [];
    const rows: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      const page = await context.newPage();
      await page.addInitScript(`
        new MutationObserver((_, watch) => {
          if (document.querySelector('table tbody tr:not(.gap)') === null) return;
          watch.disconnect();
          window.rowsMs = performance.now();
        }).observe(document, { childList: true, subtree: true });
      `);
      await page.goto('/pipelines?sort=-rate');
      await page.getByRole('link', { name: 'tenant-001' }).waitFor();
      const [paint, row] = (await page.evaluate(
        "[performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1, window.rowsMs]",
      )) as [number, number];
      paints.push(Math.round(paint));
      rows.push(Math.round(row));
      expect(await page.locator('table').getAttribute('aria-rowcount')).toBe(String(ALL + 1));
      await page.close();
    }
    process.stdout.write(
      `first content after ${paints.join(', ')} ms, pipelines after ${rows.join(', ')} ms\n`,
    );
    expect(Math.min(...paints)).toBeLessThan(1_000);
    expect(Math.min(...rows)).toBeLessThan(5_000);
  });

  it('follows those that move, and stays responsive meanwhile', async () => {
    const page = await context.newPage();
    await page.goto('/pipelines?sort=-rate&show=moving');
    const row = page.getByRole('row', { name: /tenant-007/ });
    await row.waitFor();
    const before = await row.textContent();
    await waitFor(async () => (await row.textContent()) !== before, {
      timeoutMs: 60_000,
      pollMs: 100,
      what: 'its figures to change',
    });
    await page.getByRole('button', { name: /^All/ }).click();
    await page.keyboard.press('/');
    await page.keyboard.type('tenant-499');
    await page.getByRole('link', { name: 'tenant-499' }).click();
    await page
      .getByRole('heading', { level: 1, name: /tenant-499/ })
      .getByText('stopped')
      .waitFor();
    // The longest that the page's own thread was busy at a stretch, over some looks at the installation.
    const longest = (await page.evaluate(`new Promise((resolve) => {
      let most = 0;
      new PerformanceObserver((list) => {
        for (const one of list.getEntries()) most = Math.max(most, one.duration);
      }).observe({ type: 'longtask' });
      setTimeout(() => resolve(most), 8000);
    })`)) as number;
    process.stdout.write(`longest task of the page ${Math.round(longest)} ms\n`);
    expect(longest).toBeLessThan(1_000);
    await page.close();
  });
});
