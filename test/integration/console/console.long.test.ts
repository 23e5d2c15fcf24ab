/** Every page in the dark, and on a phone. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CONSOLE_PAGES } from '../../cases/console-pages.ts';
import { ConsoleBench } from '../../support/console-bench.ts';
import { describeBrowser } from '../../support/shared-servers.ts';

describeBrowser('the console, everywhere', () => {
  let bench: ConsoleBench;
  beforeAll(async () => {
    bench = await ConsoleBench.start();
  });
  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
  });

  it.each(CONSOLE_PAGES)('%s is legible in the dark, and no wider than a phone', async (path, sight) => {
    const page = await bench.open(path, { theme: 'dark' });
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
