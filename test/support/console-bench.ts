/** The console in Chromium, on a made-up installation behind the real API. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROLES, type Role } from '../../node/access/role.ts';
import { consoleFolder, readConsole } from '../../node/api/console-files.ts';
import { ApiBench } from './api-bench.ts';
import { axeProblems, type Browser, launchBrowser, type Page, troubleOf } from './browser.ts';
import { repositoryRoot } from './inventory.ts';
import { MadeUpInstallation } from './made-up-installation.ts';

export const PASSWORD = 'correct horse battery staple';

export interface OpenOptions {
  /** Logged in as somebody of this role; null for nobody. */
  readonly role?: Role | null;
  readonly theme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
  /** Where it is reached, in place of the node's own address. */
  readonly url?: string;
}

export class ConsoleBench implements AsyncDisposable {
  readonly api: ApiBench;
  readonly installation: MadeUpInstallation;
  readonly #browser: Browser;
  readonly #troubles: (readonly string[])[] = [];

  private constructor(api: ApiBench, installation: MadeUpInstallation, browser: Browser) {
    this.api = api;
    this.installation = installation;
    this.#browser = browser;
  }

  /** With an account for each role, named like it. `accounts: false`: a fresh installation. */
  static async start(
    options: { readonly installation?: MadeUpInstallation; readonly accounts?: boolean } = {},
  ): Promise<ConsoleBench> {
    await buildConsole();
    const installation = options.installation ?? new MadeUpInstallation();
    const { bench } = installation;
    const browser = await launchBrowser();
    const api = await ApiBench.start({
      ...bench,
      server: { ...bench.server, console: readConsole(consoleFolder()) },
    });
    if (options.accounts ?? true)
      for (const role of [...ROLES].reverse())
        await api.accounts.createUser({ name: role, role, pipelines: null, password: PASSWORD }, 'test');
    return new ConsoleBench(api, installation, browser);
  }

  /** A page of its own context at `path`. */
  async open(path: string, options: OpenOptions = {}): Promise<Page> {
    const { role = 'admin', theme = 'light', width = 1440, height = 900, url = this.api.url } = options;
    const context = await this.#browser.newContext({
      baseURL: url,
      colorScheme: theme,
      viewport: { width, height },
      deviceScaleFactor: 1,
      locale: 'en-GB',
      timezoneId: 'Europe/Berlin',
      reducedMotion: 'reduce',
    });
    context.setDefaultTimeout(30_000);
    this.#troubles.push(troubleOf(context));
    if (role !== null) {
      const answer = await context.request.post('/api/v1/session', {
        data: { name: role, password: PASSWORD },
      });
      if (answer.status() !== 201)
        throw new Error(`login as ${role}: ${answer.status()} ${await answer.text()}`);
    }
    const page = await context.newPage();
    await page.goto(path);
    return page;
  }

  /** What pages said to their consoles since the last question. */
  takeTrouble(): readonly string[] {
    return this.#troubles.flatMap((list) => (list as string[]).splice(0));
  }

  axe(page: Page): Promise<readonly string[]> {
    return axeProblems(page);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await this.api[Symbol.asyncDispose]();
  }
}

/** As `npm run build` does; quick where nothing has changed. */
export function buildConsole(): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = join(repositoryRoot(), 'scripts/build.mjs');
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'ignore', 'inherit'] });
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`scripts/build.mjs ended with ${code}`)),
    );
  });
}
