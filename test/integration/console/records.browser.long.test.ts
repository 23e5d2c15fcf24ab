/** Every page of what is kept in the dark, and on a phone. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RECORD_PAGES } from '../../cases/console-record-pages.ts';
import { ConsoleBench } from '../../support/console-bench.ts';
import { describeBrowser } from '../../support/shared-servers.ts';

describeBrowser('the pages of what is kept, everywhere', () => {
  let bench: ConsoleBench;
  beforeAll(async () => {
    bench = await ConsoleBench.start();
  });
  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
  });

  it.each(RECORD_PAGES)('%s is legible in the dark, and no wider than a phone', async (path, role, sight) => {
    const page = await bench.open(path, { role, theme: 'dark' });
    await page.getByText(sight).first().waitFor();
    expect(await bench.axe(page)).toEqual([]);
    await page.setViewportSize({ width: 390, height: 800 });
    const widths = (await page.evaluate('[document.documentElement.scrollWidth, innerWidth]')) as [
      number,
      number,
    ];
    expect(widths[0], 'the page is wider than the phone').toBeLessThanOrEqual(widths[1]);
    expect(await bench.axe(page)).toEqual([]);
    expect(bench.takeTrouble()).toEqual([]);
    await page.context().close();
  });
});
