/** Chromium for tests and screenshots: Debian's, driven from outside; what runs in a page is the page's own code under its own policy. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { programOf } from './inventory.ts';

export type { Browser, BrowserContext, Page } from 'playwright-core';

export async function launchBrowser(): Promise<Browser> {
  const { command, env } = await programOf('chromium');
  const [executablePath = ''] = command;
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
  return chromium.launch({
    executablePath,
    env: { ...inherited, ...env },
    // As root, and without a display card; the pages are our own.
    chromiumSandbox: false,
    args: [
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--force-color-profile=srgb',
      '--font-render-hinting=none',
    ],
    timeout: 60_000,
  });
}

interface AxeViolation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly target: readonly unknown[]; readonly failureSummary?: string }[];
}

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** What axe-core finds wrong in a page as it stands; empty is good. WCAG 2.2 A and AA, and good practice. */
export async function axeProblems(page: Page): Promise<readonly string[]> {
  await page.evaluate(readFileSync(AXE, 'utf8'));
  const found = (await page.evaluate(
    "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => JSON.stringify(violations))",
  )) as string;
  return (JSON.parse(found) as readonly AxeViolation[]).flatMap(({ id, help, nodes }) =>
    nodes.map((node) => `${id}: ${help}: ${JSON.stringify(node.target)} ${node.failureSummary ?? ''}`),
  );
}

/** What a page says to its console in anger, and what the policy refused, from now on. */
export function troubleOf(context: BrowserContext): readonly string[] {
  const trouble: string[] = [];
  context.on('console', (message) => {
    // The browser's own words for an answer that is no success: the page shows those itself.
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text()))
      trouble.push(message.text());
  });
  context.on('weberror', (error) => trouble.push(String(error.error())));
  return trouble;
}
