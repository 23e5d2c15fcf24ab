import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Where each server's program is, as `scripts/setup.mjs --json` says it; the script also fetches what is missing. It
 * is asked as a program, not imported: it is plain JavaScript that runs before anything is installed or built.
 */

export const SERVER_KINDS = [
  'mariadb',
  'mysql',
  'mysql56',
  'zookeeper',
  'redis',
  'sysbench',
  'percona-toolkit',
  'libfaketime',
  'chromium',
  'promtool',
] as const;
export type ServerKind = (typeof SERVER_KINDS)[number];

export interface Program {
  /** The words before the program's own options. */
  readonly command: readonly string[];
  /** Variables it needs besides the caller's. */
  readonly env: Readonly<Record<string, string>>;
  /** Folders and files of it by name: `base`, `share`, `data`, `installDb`, `jars`, `lua`. */
  readonly paths: Readonly<Record<string, string>>;
  readonly version: string;
}

export interface InventoryEntry {
  /** Servers that already run, from the environment; used in place of starting one. */
  readonly urls: readonly string[];
  readonly program: Program | null;
  /** Why there is no program. */
  readonly reason: string | null;
}

export interface Inventory {
  readonly cacheDir: string;
  readonly servers: Readonly<Partial<Record<ServerKind, InventoryEntry>>>;
}

/** A server that cannot be had on this machine: the tests that want it are skipped with this message. */
export class ServerUnavailable extends Error {
  override readonly name = 'ServerUnavailable';
  readonly kind: ServerKind;

  constructor(kind: ServerKind, reason: string) {
    super(`no ${kind} server: ${reason}`);
    this.kind = kind;
  }
}

const asked = new Map<ServerKind, Promise<Inventory>>();

/** The entry of one kind; asked once per process, and then fetched where missing (which can take a minute). */
export async function inventoryOf(kind: ServerKind): Promise<InventoryEntry & { readonly cacheDir: string }> {
  let answer = asked.get(kind);
  if (answer === undefined) {
    answer = askSetup(kind);
    asked.set(kind, answer);
  }
  const { cacheDir, servers } = await answer;
  const entry = servers[kind];
  if (entry === undefined) throw new Error(`setup says nothing of ${kind}`);
  return { ...entry, cacheDir };
}

/** The program of a kind, or `ServerUnavailable`. */
export async function programOf(kind: ServerKind): Promise<Program & { readonly cacheDir: string }> {
  const { program, reason, cacheDir } = await inventoryOf(kind);
  if (program === null) throw new ServerUnavailable(kind, reason ?? 'unknown');
  return { ...program, cacheDir };
}

/** Why tests that need these kinds cannot run, or undefined. `own`: a server given by URL does not do, they start their own. */
export async function whyUnavailable(
  kinds: readonly ServerKind[],
  options: { readonly own: boolean },
): Promise<string | undefined> {
  for (const kind of kinds) {
    const { urls, program, reason } = await inventoryOf(kind);
    if (program === null && (options.own || urls.length === 0))
      return new ServerUnavailable(kind, reason ?? 'unknown').message;
  }
  return undefined;
}

/** The clone this runs in, also when compiled into `dist/`. */
export function repositoryRoot(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'package.json'))) {
    const parent = dirname(dir);
    if (parent === dir) throw new Error('no package.json above the test support files');
    dir = parent;
  }
  return dir;
}

function askSetup(kind: ServerKind): Promise<Inventory> {
  const script = join(repositoryRoot(), 'scripts', 'setup.mjs');
  const args = [script, '--json', '--no-npm', '--servers', kind];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let json = '';
    child.stdout.on('data', (data) => {
      json += String(data);
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(json) as Inventory);
      else reject(new Error(`scripts/setup.mjs ended with ${code}`));
    });
  });
}
