import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../../../node/access/role.ts';
import type { Page } from '../../support/browser.ts';
import { ConsoleBench } from '../../support/console-bench.ts';

/** The page of alarms in Chromium, on a made-up installation behind the real API. */
describe('the page of alarms', () => {
  let bench: ConsoleBench;
  beforeAll(async () => {
    bench = await ConsoleBench.start();
  }, 240_000);
  afterAll(() => bench[Symbol.asyncDispose]());
  const pages: Page[] = [];
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.context().close();
  });

  async function open(role: Role): Promise<Page> {
    const page = await bench.open('/alarms', { role });
    pages.push(page);
    await said(page, /node sin-2 does not answer/);
    return page;
  }

  const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name });
  const dialog = (page: Page) => page.getByRole('dialog');
  const said = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor();
  const asked = (what: string) => bench.installation.alarms.asked.filter((one) => one.what === what);

  it('shows what fires before what is pending, with the stage; axe finds nothing in either theme', async () => {
    const page = await open('operator');
    const rows = page.getByRole('table', { name: 'Alarms that fire or are pending' }).getByRole('row');
    await rows.nth(3).waitFor();
    expect(await rows.nth(3).textContent()).toMatch(/pending[\s\S]*transform/);
    await page
      .getByRole('row', { name: /stuck at load/ })
      .getByText('HOLT_TARGET_UNREACHABLE')
      .waitFor();
    await said(page, 'team failed');
    await said(page, 'address from environment variable ON_CALL_URL, signed');
    expect(await page.title()).toBe('Alarms · Holt');
    expect(await bench.axe(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await bench.axe(page)).toEqual([]);
    expect(bench.takeTrouble()).toEqual([]);
  });

  it('acknowledges with a reason, silences and ends the silence, and tests a channel', async () => {
    const page = await open('operator');
    await button(page, 'Acknowledge node~sin-2').click();
    await dialog(page).getByLabel('Reason').fill('rack move');
    await button(page, 'Acknowledge alarm').click();
    await said(page, 'acknowledged by operator: rack move');
    expect(asked('acknowledge')).toEqual([
      { what: 'acknowledge', with: ['node~sin-2', 'operator', 'rack move'] },
    ]);
    await button(page, 'Silence stuck~billing-oregon-frankfurt').click();
    await dialog(page).getByRole('combobox').selectOption({ label: '4 hours' });
    await button(page, 'Silence them').click();
    await button(page, 'End silence of billing-oregon-frankfurt').click();
    await dialog(page).getByRole('button', { name: 'End silence' }).click();
    await said(page, 'The silence is over.');
    expect(asked('silence')).toEqual([
      { what: 'silence', with: [['stuck'], ['billing-oregon-frankfurt'], 4 * 3_600_000, ''] },
    ]);
    await button(page, 'Send a test to team').click();
    await said(page, 'team: not delivered: the answer is 503.');
    await button(page, 'Send a test to on-call').click();
    await said(page, /on-call: delivered in/);
    expect(bench.takeTrouble()).toEqual([]);
  });

  it('offers a viewer nothing to do', async () => {
    const page = await open('viewer');
    expect(await button(page, /Acknowledge|Silence…|Send a test/).count()).toBe(0);
  });
});
