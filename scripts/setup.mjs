#!/usr/bin/env node
import { rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cacheDir } from './setup/cache.mjs';
import { takeLock } from './setup/lock.mjs';
import { npmPackages } from './setup/packages.mjs';
import { finders, SERVER_KINDS } from './setup/servers.mjs';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Setup could not be completed; the message is for people and says all of what is missing at once. */
export class SetupError extends Error {}

/**
 * Makes npm packages and servers present, and says where they are. Nothing is installed into the system and no
 * service is touched: programs that the machine lacks are unpacked under the cache folder.
 *
 * @param {object} [options]
 * @param {readonly string[]} [options.servers] kinds to have (see SERVER_KINDS)
 * @param {boolean} [options.npm] the npm packages too; default true
 * @param {(text: string) => void} [options.say] progress; default stderr
 * @returns {Promise<{ cacheDir: string, servers: Record<string, object> }>} the inventory: per kind `urls` (from the
 *   environment), `program` or null, and `reason` (why there is no program)
 */
export async function setup(options = {}) {
  const say = options.say ?? ((text) => process.stderr.write(`setup: ${text}\n`));
  const kinds = options.servers ?? ['mariadb', 'mysql', 'mysql56', 'zookeeper', 'redis'];
  const cache = cacheDir();
  const release = await takeLock(cache, say);
  try {
    if (options.npm ?? true) await npmPackages(ROOT, say);
    const servers = {};
    for (const kind of kinds) servers[kind] = await locate(kind, { cache, say });
    // apt's lists are many times what they were asked for, and old tomorrow.
    rmSync(join(cache, 'apt'), { recursive: true, force: true });
    return { cacheDir: cache, servers };
  } finally {
    await release();
  }
}

async function locate(kind, context) {
  const { variable } = SERVER_KINDS[kind];
  const given = variable === undefined ? undefined : process.env[variable];
  if (given !== undefined && given !== '')
    return {
      urls: given.split(/\s+/).filter(Boolean),
      program: null,
      reason: `${variable} is set, which is no server that a test may stop or configure`,
    };
  try {
    return { urls: [], program: await finders[kind](context), reason: null };
  } catch (error) {
    return { urls: [], program: null, reason: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * @param {Awaited<ReturnType<typeof setup>>} inventory
 * @returns {string | undefined} one message naming everything missing and what to do, or undefined
 */
export function whatIsMissing(inventory) {
  const missing = Object.entries(inventory.servers).filter(
    ([, found]) => found.urls.length === 0 && found.program === null,
  );
  if (missing.length === 0) return undefined;
  const lines = ['these servers are not on this machine and could not be downloaded:'];
  for (const [kind, { reason }] of missing) {
    const { variable, required, install } = SERVER_KINDS[kind];
    const elsewhere =
      variable === undefined ? '' : `, or set ${variable} to one that runs (${EXAMPLES[kind]})`;
    lines.push(
      `  ${kind}${required ? '' : ' (tests that want it are skipped)'}: ${reason}`,
      `    install ${install}${elsewhere}`,
    );
  }
  const debian = missing
    .filter(([kind]) => SERVER_KINDS[kind].required)
    .map(([kind]) => SERVER_KINDS[kind].install);
  if (debian.length > 0)
    lines.push(`  on Debian, as root: apt-get install --no-install-recommends ${debian.join(' ')}`);
  return lines.join('\n');
}

const DATABASE =
  'mysql://user:password@host:port, a user with all privileges, binlog on; several separated by spaces';
const EXAMPLES = {
  mariadb: DATABASE,
  mysql: DATABASE,
  mysql56: DATABASE,
  zookeeper: 'host:port,host:port',
  redis: 'redis://host:port/0',
};

/** True if nothing is missing that the tests cannot do without. */
export function isComplete(inventory) {
  return Object.entries(inventory.servers).every(
    ([kind, found]) => !SERVER_KINDS[kind].required || found.urls.length > 0 || found.program !== null,
  );
}

async function main() {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      servers: { type: 'string' },
      with: { type: 'string', multiple: true, default: [] },
      'no-npm': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(
      'node scripts/setup.mjs [--servers mariadb,mysql,mysql56,zookeeper,redis] [--with sysbench] [--with percona-toolkit] [--with libfaketime] [--with chromium] [--no-npm] [--json]\n',
    );
    return;
  }
  const listed = values.servers?.split(',').filter(Boolean) ?? [
    'mariadb',
    'mysql',
    'mysql56',
    'zookeeper',
    'redis',
  ];
  const kinds = [...listed, ...values.with];
  const unknown = kinds.filter((kind) => !Object.hasOwn(SERVER_KINDS, kind));
  if (unknown.length > 0)
    throw new SetupError(
      `unknown server ${unknown.join(', ')}; known are ${Object.keys(SERVER_KINDS).join(', ')}`,
    );
  const inventory = await setup({ servers: kinds, npm: !values['no-npm'] });
  if (values.json) {
    process.stdout.write(`${JSON.stringify(inventory)}\n`);
    return;
  }
  for (const [kind, { urls, program }] of Object.entries(inventory.servers)) {
    if (program !== null) process.stdout.write(`${kind} ${program.version} (${program.origin})\n`);
    else if (urls.length > 0) process.stdout.write(`${kind} as given by ${SERVER_KINDS[kind].variable}\n`);
  }
  const missing = whatIsMissing(inventory);
  if (missing !== undefined) process.stderr.write(`setup: ${missing}\n`);
  if (!isComplete(inventory)) process.exitCode = 1;
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    await main();
  } catch (error) {
    process.stderr.write(`setup: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
}
