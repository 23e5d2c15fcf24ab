import { mkdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { importScript } from '../../support/import-script.ts';
import { type Inventory, repositoryRoot } from '../../support/inventory.ts';
import { KeptProcess, temporaryFolder } from '../../support/kept-process.ts';

const { whatIsMissing, isComplete } = await importScript<{
  whatIsMissing(inventory: Inventory): string | undefined;
  isComplete(inventory: Inventory): boolean;
}>('setup.mjs');
const { mirrorIn, relink } = await importScript<{
  mirrorIn(text: string): string | undefined;
  relink(root: string): void;
}>('setup/debian.mjs');
const { isCurrent } = await importScript<{ isCurrent(root: string): boolean }>('setup/packages.mjs');
const { takeLock } = await importScript<{
  takeLock(dir: string, say: (text: string) => void): Promise<() => Promise<void>>;
}>('setup/lock.mjs');
const { isBuilt } = await importScript<{ isBuilt(root: string): boolean }>('setup/build.mjs');

let dir: string;
beforeEach(async () => {
  dir = await temporaryFolder('setup');
});

function put(path: string, text = ''): string {
  const file = join(dir, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

describe('what is missing', () => {
  const program = { command: ['x'], env: {}, paths: {}, version: '1' };
  const there = { urls: [], program, reason: null };
  const given = { urls: ['mysql://u@h:1'], program: null, reason: 'HOLT_TEST_MARIADB_URL is set' };
  const absent = { urls: [], program: null, reason: 'no route' };

  it('is nothing where each server is there or given', () => {
    const inventory = { cacheDir: dir, servers: { mariadb: given, redis: there } };
    expect(whatIsMissing(inventory)).toBeUndefined();
    expect(isComplete(inventory)).toBe(true);
  });

  it('is one message with the reason, the package and the variable of each', () => {
    const inventory = { cacheDir: dir, servers: { mariadb: absent, zookeeper: absent, redis: there } };
    const message = whatIsMissing(inventory) ?? '';
    for (const part of [
      'no route',
      'mariadb-server',
      'HOLT_TEST_MARIADB_URL',
      'zookeeper',
      'HOLT_TEST_ZOOKEEPER',
    ])
      expect(message).toContain(part);
    expect(message).not.toContain('redis');
    expect(isComplete(inventory)).toBe(false);
  });

  it('does not stop the tests where they can do without', () => {
    const inventory = { cacheDir: dir, servers: { mysql: absent, mysql56: absent, mariadb: there } };
    expect(whatIsMissing(inventory)).toContain('mysql56 (tests that want it are skipped)');
    expect(isComplete(inventory)).toBe(true);
  });
});

describe("the machine's Debian mirror", () => {
  it.each([
    ['deb http://mirror.test/debian bookworm main', 'http://mirror.test/debian'],
    [
      'deb [signed-by=/k.gpg arch=amd64] http://mirror.test/debian/ bookworm main',
      'http://mirror.test/debian/',
    ],
    ['Types: deb\nURIs: http://mirror.test/debian\nSuites: bookworm\n', 'http://mirror.test/debian'],
    [
      'deb http://other.test/node_20.x nodistro main\ndeb http://m.test/debian sid main',
      'http://m.test/debian',
    ],
    ['# deb http://mirror.test/debian bookworm main', undefined],
    ['deb-src http://mirror.test/debian bookworm main', undefined],
    ['deb http://mirror.test/debian-security bookworm-security main', undefined],
    ['', undefined],
  ])('in %j is %s', (text, mirror) => {
    expect(mirrorIn(text)).toBe(mirror);
  });
});

describe('an unpacked package', () => {
  it("has links to the system's root turned into links within, where the target is within", () => {
    put('etc/java/java.conf', 'in the tree');
    mkdirSync(join(dir, 'usr/lib/java/conf'), { recursive: true });
    const inside = join(dir, 'usr/lib/java/conf/java.conf');
    const outside = join(dir, 'usr/lib/java/hosts');
    const already = join(dir, 'usr/lib/java/again');
    symlinkSync('/etc/java/java.conf', inside);
    symlinkSync('/etc/hosts', outside);
    symlinkSync('conf/java.conf', already);
    relink(dir);
    expect(readFileSync(inside, 'utf8')).toBe('in the tree');
    expect(readlinkSync(outside)).toBe('/etc/hosts');
    expect(readlinkSync(already)).toBe('conf/java.conf');
  });
});

describe('node_modules', () => {
  const locks = (wanted: object, present: object | undefined) => {
    put('package-lock.json', JSON.stringify({ packages: { '': { name: 'holt' }, ...wanted } }));
    if (present !== undefined) put('node_modules/.package-lock.json', JSON.stringify({ packages: present }));
    return isCurrent(dir);
  };
  const a1 = { 'node_modules/a': { version: '1.0.0' } };

  it('is current with the versions of the lock file', () => expect(locks(a1, a1)).toBe(true));
  it('is not when it is missing', () => expect(locks(a1, undefined)).toBe(false));
  it('is not when a package is', () => expect(locks(a1, {})).toBe(false));
  it('is not with another version', () =>
    expect(locks(a1, { 'node_modules/a': { version: '1.0.1' } })).toBe(false));
  it('may lack what is for other platforms', () =>
    expect(locks({ ...a1, 'node_modules/b': { version: '1.0.0', optional: true } }, a1)).toBe(true));
});

describe('a build', () => {
  it('is current until a source is newer', async () => {
    put('tsconfig.build.json', JSON.stringify({ include: ['lib'] }));
    put('tsconfig.json');
    put('package-lock.json');
    put('lib/a.ts');
    expect(isBuilt(dir)).toBe(false);
    await nextTick();
    put('dist/.tsbuildinfo');
    expect(isBuilt(dir)).toBe(true);
    await nextTick();
    put('lib/deep/b.ts');
    expect(isBuilt(dir)).toBe(false);
  });

  /** File times come from a clock of some milliseconds. */
  async function nextTick(): Promise<void> {
    const probe = put('probe');
    const before = statSync(probe).mtimeMs;
    await waitFor(() => statSync(put('probe')).mtimeMs > before, {
      timeoutMs: 5_000,
      pollMs: 1,
      what: 'the clock',
    });
    rmSync(probe);
  }
});

describe('the setup lock', () => {
  it('is held by one at a time', async () => {
    const release = await takeLock(dir, () => {});
    const said: string[] = [];
    let second = false;
    const waiting = takeLock(dir, (text) => said.push(text)).then((releaseSecond) => {
      second = true;
      return releaseSecond;
    });
    await waitFor(() => said.length > 0, { timeoutMs: 5_000, what: 'a word about waiting' });
    expect(said).toEqual(['another setup is at work; waiting for it to finish']);
    expect(second).toBe(false);
    await release();
    await (await waiting)();
  });

  it('is free again after kill -9 of its holder', async () => {
    const code = `
      import { takeLock } from ${JSON.stringify(join(repositoryRoot(), 'scripts/setup/lock.mjs'))};
      await takeLock(${JSON.stringify(dir)}, () => {});
      console.log('held');
      setInterval(() => {}, 1000);
    `;
    const holder = await KeptProcess.start({
      command: [process.execPath, '--input-type=module', '-e', code],
      cwd: dir,
      logFile: join(dir, 'log'),
    });
    await waitFor(() => holder.logTail() === 'held', { timeoutMs: 10_000, what: 'the lock held' });
    await holder.kill();
    const release = await takeLock(dir, () => {});
    await release();
  });
});
