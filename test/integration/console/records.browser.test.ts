import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { RECORD_PAGES } from '../../cases/console-record-pages.ts';
import type { Page } from '../../support/browser.ts';
import { ConsoleBench, type OpenOptions, PASSWORD } from '../../support/console-bench.ts';
import { RICH } from '../../support/made-up-records.ts';
import { describeBrowser } from '../../support/shared-servers.ts';

/** The console's pages of what is kept, in Chromium, on a made-up installation behind the real API. */
describeBrowser('the pages of what is kept', () => {
  let bench: ConsoleBench;
  beforeAll(async () => {
    bench = await ConsoleBench.start();
  });
  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
  });
  const pages: Page[] = [];
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.context().close();
  });

  async function open(path: string, options: OpenOptions = {}): Promise<Page> {
    const page = await bench.open(path, options);
    pages.push(page);
    return page;
  }

  const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name });
  const dialog = (page: Page) => page.getByRole('dialog');
  const said = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor();
  const asked = (what: string) => bench.installation.asked.filter((one) => one.what === what);
  const of = (kind: string, id: string) => `/${kind}/${RICH}/${id}`;
  const picked = (path: string, more = '') => `${path}?pipeline=${RICH}${more}`;

  it.each(RECORD_PAGES)('%s opens by its address, and axe finds nothing', async (path, role, text) => {
    const page = await open(path, { role });
    await said(page, text);
    expect(await page.title()).toMatch(/ · Holt$/);
    expect(await bench.axe(page)).toEqual([]);
    expect(bench.takeTrouble()).toEqual([]);
  });

  it('shows a change with both images beside what was found, replays it, and closes another with a reason', async () => {
    const page = await open(picked('/ledger'), { role: 'operator' });
    await page.getByRole('link', { name: '31', exact: true }).click();
    const row = page.getByRole('row', { name: /^status/ });
    await row.waitFor();
    expect(await row.getByRole('cell').allInnerTexts()).toEqual([
      'packed',
      'shipped',
      '≠\ndiffers from',
      'cancelled',
    ]);
    await said(page, '3 of 6 columns differ');
    await button(page, 'Replay…').click();
    await dialog(page).getByRole('button', { name: 'Replay entry' }).click();
    await said(page, 'Entry 31 is replayed.');
    await page.getByRole('heading', { name: /replayed/ }).waitFor();
    expect(await button(page, 'Replay…').count()).toBe(0);
    await page.goto(of('ledger', '30'));
    await button(page, 'Close…').click();
    const close = dialog(page).getByRole('button', { name: 'Close entry' });
    expect(await close.isDisabled()).toBe(true);
    await dialog(page).getByRole('textbox').fill('the customer was asked');
    await close.click();
    await page.getByRole('heading', { name: /closed/ }).waitFor();
    // What was closed may still be replayed.
    expect(await button(page, 'Replay…').count()).toBe(1);
    expect(asked('replayed').map(({ of }) => of)).toEqual([`${RICH} 31`]);
    expect(asked('closed').map(({ of, with: by }) => [of, by])).toEqual([[`${RICH} 30`, 'operator']]);
  });

  it('says why a change cannot be replayed, in the dialog, and nothing is lost of it', async () => {
    const page = await open(of('ledger', '29'), { role: 'operator' });
    await button(page, 'Replay…').click();
    await dialog(page).getByRole('button', { name: 'Replay entry' }).click();
    await dialog(page).getByText('HOLT_REPLAY_REFUSED').waitFor();
    await page.keyboard.press('Escape');
    await dialog(page).waitFor({ state: 'detached' });
  });

  it('keeps filters of the ledger in the address bar', async () => {
    const page = await open(picked('/ledger', '&state=all&kind=row-too-large'), { role: 'operator' });
    await page.getByRole('link', { name: '28', exact: true }).waitFor();
    expect(await page.getByRole('row').count()).toBe(2);
    await page.getByLabel('Kind').selectOption('');
    await page.getByRole('link', { name: '26', exact: true }).waitFor();
    expect(new URL(page.url()).search).toBe(`?pipeline=${RICH}&state=all`);
    await page.getByLabel('Pipeline').selectOption('customers-frankfurt-oregon');
    await said(page, 'No such entries');
  });

  it('shows a viewer no rows and no actions', async () => {
    const page = await open(picked('/ledger'), { role: 'viewer' });
    await said(page, 'Parent row is missing');
    expect(await page.getByRole('link', { name: '29', exact: true }).count()).toBe(0);
    await page.goto(of('ledger', '29'));
    await said(page, 'This page is for the role operator.');
    await page.goto(of('ddl', '7'));
    await said(page, 'its end is not written');
    expect(await button(page, /ran…$/).count()).toBe(0);
    await page.goto(picked('/checks'));
    await said(page, '118 of 412');
    expect(await button(page, 'Compare now…').count()).toBe(0);
    await page.goto(picked('/config', '&show=edit'));
    await said(page, 'through the API');
    const menu = page.getByRole('navigation', { name: 'Pages' });
    expect(await menu.getByRole('link').allInnerTexts()).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/Audit|Accounts|Coordination/)]),
    );
    await page.goto('/audit');
    await said(page, 'This page is for the role admin.');
  });

  it('settles a schema change by a person’s word', async () => {
    const page = await open(picked('/ddl'), { role: 'operator' });
    await said(page, 'One statement is open.');
    await page.getByRole('link', { name: '7', exact: true }).click();
    await button(page, 'It did not run…').click();
    await dialog(page).getByText('You say that it did not run.').waitFor();
    await dialog(page).getByRole('button', { name: 'Settle statement' }).click();
    await page.getByRole('heading', { name: /did not run/ }).waitFor();
    expect(asked('settleDdl')).toMatchObject([{ of: `${RICH} 7`, with: { ran: false, by: 'operator' } }]);
    expect(await button(page, /ran…$/).count()).toBe(0);
  });

  it('starts a comparison, and follows it', async () => {
    const page = await open(picked('/checks'), { role: 'operator' });
    await button(page, 'Compare now…').click();
    await dialog(page).getByRole('button', { name: 'Compare pipeline' }).click();
    await page.waitForURL(`**${of('checks', 'c0ffee0123456789')}`);
    await said(page, '3 of …');
    const { records } = bench.installation;
    const [running] = records.checks;
    if (running !== undefined) records.checks[0] = { ...running, state: 'equal', chunksTotal: 3 };
    await said(page, 'Every row is the same at both ends');
    expect(asked('startVerify')).toHaveLength(1);
  });

  it('checks a configuration, says what is wrong with it and what it changes, and puts it in place with a reason', async () => {
    const page = await open(picked('/config', '&show=edit'), { role: 'admin' });
    const text = page.getByLabel('Configuration as JSON');
    await text.waitFor();
    const put = button(page, 'Put in place…');
    expect(await put.isDisabled()).toBe(true);
    const config = JSON.parse(await text.inputValue()) as { batch: { window: number } };
    await text.fill('{"batch":');
    await button(page, 'Check').click();
    await said(page, /It is no JSON/);
    await text.fill(JSON.stringify({ ...config, batch: { ...config.batch, window: 65 } }));
    await button(page, 'Check').click();
    await said(page, 'a size is out of its bounds');
    expect(await put.isDisabled()).toBe(true);
    await text.fill(JSON.stringify({ ...config, batch: { ...config.batch, window: 12 } }));
    await button(page, 'Check').click();
    await page.getByRole('row', { name: /batch\.window.*8.*12/ }).waitFor();
    await put.click();
    await dialog(page).getByRole('textbox').fill('more in flight');
    await dialog(page).getByRole('button', { name: 'Change configuration of' }).click();
    await said(page, 'in place of version 4');
    expect(asked('setConfig')).toMatchObject([
      { of: RICH, with: { version: 3, by: 'admin', config: { batch: { window: 12 } } } },
    ]);
  });

  it('refuses to put a configuration in place that somebody else has replaced meanwhile', async () => {
    const page = await open(picked('/config', '&show=history'), { role: 'admin' });
    await page
      .getByRole('link', { name: /^Put back… the one of/ })
      .last()
      .click();
    await said(page, 'in place of version');
    const version = Number(
      /in place of version (\d+)/.exec((await page.locator('main').textContent()) ?? '')?.[1],
    );
    await button(page, 'Check').click();
    await page.getByRole('row', { name: /tables\.exclude/ }).waitFor();
    const { operations } = bench.installation.bench;
    const set = operations?.setConfig as unknown as (...args: unknown[]) => Promise<unknown>;
    await set(RICH, version, { other: true }, 'eve');
    await button(page, 'Put in place…').click();
    await dialog(page).getByRole('textbox').fill('back to what it was');
    await dialog(page).getByRole('button', { name: 'Change configuration of' }).click();
    await dialog(page).getByText('HOLT_CONFIG_VERSION').waitFor();
  });

  it('walks the coordination tree by links, and hides what is about accounts', async () => {
    const page = await open('/coordination', { role: 'admin' });
    await page.getByLabel('Filter claims').fill('fra-2');
    await page.getByRole('row', { name: /search-frankfurt-singapore/ }).waitFor();
    expect(await page.getByRole('row').count()).toBe(2);
    await button(page, 'Tree').click();
    await page.getByRole('link', { name: 'seda' }).click();
    await page.getByRole('link', { name: 'node', exact: true }).click();
    await page.getByRole('link', { name: 'fra-1' }).click();
    await said(page, /"site": "frankfurt"/);
    await page.goto('/coordination?show=tree&path=/seda/access/user/mira');
    await said(page, 'It is about who may use the API.');
    await page.goto('/coordination?show=tree&path=/nowhere');
    await said(page, 'HOLT_ZNODE_UNKNOWN');
  });

  it('shows who did what, with what was asked for', async () => {
    const page = await open('/audit?result=done&action=login&who=admin', { role: 'admin' });
    await button(page, 'More about login by admin').first().click();
    await said(page, /at node n1/);
    const text = await page.locator('main').textContent();
    expect(text).toContain('(masked)');
    expect(text).not.toContain(PASSWORD);
    await page.getByLabel('Who').fill('nobody');
    await page.keyboard.press('Enter');
    await said(page, 'No such entries');
    expect(new URL(page.url()).searchParams.get('who')).toBe('nobody');
  });

  it('makes, changes, disables and deletes an account', async () => {
    const page = await open('/accounts', { role: 'admin' });
    await button(page, 'New account…').click();
    const form = dialog(page);
    await form.getByLabel(/^Name/).fill('eve');
    await form.getByRole('radio', { name: /^operator/ }).check();
    await form.getByLabel(/^Pipelines/).fill('orders-*, billing-*');
    await form.getByLabel('Password').fill('short');
    await button(page, 'Make the account').click();
    // What is refused stays to be mended.
    await form.getByRole('alert').waitFor();
    await form.getByLabel('Password').fill(PASSWORD);
    await button(page, 'Make the account').click();
    const row = page.getByRole('row', { name: /^eve/ });
    await row.getByText('orders-*, billing-*').waitFor();
    await button(page, 'Change account eve').click();
    await form.getByRole('radio', { name: /^viewer/ }).check();
    await button(page, 'Save').click();
    await row.getByRole('cell', { name: 'viewer', exact: true }).waitFor();
    await button(page, 'Disable account eve').click();
    await dialog(page).getByRole('button', { name: 'Disable account' }).click();
    await row.getByText('disabled').waitFor();
    await button(page, 'Delete account eve').click();
    const erase = dialog(page).getByRole('button', { name: 'Delete account' });
    expect(await erase.isDisabled()).toBe(true);
    await dialog(page).getByRole('textbox').fill('eve');
    await erase.click();
    await row.waitFor({ state: 'detached' });
  });

  it('makes a token that is shown once and works, and revokes it', async () => {
    const page = await open('/account', { role: 'operator' });
    await button(page, 'New token…').click();
    expect(await dialog(page).getByRole('radio').count()).toBe(2);
    await dialog(page).getByLabel('What it is for').fill('a robot');
    await button(page, 'Make the token').click();
    const token = (await page.getByText(/^holt_/).textContent()) ?? '';
    const call = () => bench.api.send('GET', '/api/v1/session', { token });
    expect((await call()).json()).toMatchObject({ role: 'viewer' });
    await button(page, 'I have it').click();
    expect(await page.getByText(token).count()).toBe(0);
    await button(page, 'Revoke token a robot').click();
    await dialog(page).getByRole('button', { name: 'Revoke token' }).click();
    await said(page, 'No tokens');
    expect((await call()).status).toBe(401);
  });

  it('changes one’s own password, after which one logs in anew', async () => {
    await bench.api.accounts.createUser(
      { name: 'kim', role: 'viewer', pipelines: null, password: PASSWORD },
      'test',
    );
    const page = await open('/account', { role: null });
    await page.getByLabel('Name').fill('kim');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByLabel('Password now').fill(PASSWORD);
    await page.getByLabel('New password', { exact: true }).fill(`${PASSWORD}, too`);
    await page.getByLabel('New password again').fill(`${PASSWORD}, to`);
    await said(page, 'The two are not the same.');
    await page.getByLabel('New password again').fill(`${PASSWORD}, too`);
    await button(page, 'Change password').click();
    await page.getByLabel('Name').fill('kim');
    await page.getByLabel('Password').fill(`${PASSWORD}, too`);
    await page.keyboard.press('Enter');
    await said(page, 'Who you are');
  });

  it('saves a support bundle without secrets, and shows the files of each node', async () => {
    const page = await open('/about', { role: 'admin' });
    const saved = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Save support bundle' }).click();
    const stream = await (await saved).createReadStream();
    const parts: Buffer[] = [];
    for await (const part of stream) parts.push(part as Buffer);
    const text = Buffer.concat(parts).toString('utf8');
    expect(JSON.parse(text)).toMatchObject({ details: { [RICH]: expect.anything() } });
    for (const secret of [PASSWORD, 'cancelled']) expect(text).not.toContain(secret);
    await page.getByRole('combobox', { name: /^Node/ }).selectOption('ore-1');
    await said(page, /"name": "ore-1"/);
  });
});
