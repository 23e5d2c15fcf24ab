/**
 * The coordination tree of a single process, whose access records (accounts, tokens, audit) survive it in one file, readable by
 * its own user only. All else in that tree is made anew by every start.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { HoltError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { ACCESS } from '../../scheduler/paths.ts';
import { EmbeddedServer, type StandingNode } from '../../scheduler/tree/embedded/embedded-server.ts';

const FILE = 'access.json';

const keptFile = z.strictObject({ version: z.literal(1), nodes: z.record(z.string(), z.string()) });

/** @throws HoltError HOLT_DATA_DIR when a file is there that cannot be read: accounts must not seem to be gone. */
export function keptServer({
  dataDir,
  log,
}: {
  readonly dataDir: string;
  readonly log: Logger;
}): EmbeddedServer {
  const path = join(dataDir, FILE);
  let isDue = false;
  const write = () => {
    isDue = false;
    try {
      mkdirSync(dataDir, { recursive: true, mode: 0o700 });
      const nodes = Object.fromEntries(
        server.standing(ACCESS).map((node) => [node.path, node.data.toString('utf8')]),
      );
      writeWhole(path, JSON.stringify({ version: 1, nodes }));
    } catch (error) {
      log.error(
        { event: 'access:unkept', path, reason: messageOf(error) },
        'accounts and audit could not be written: they end with this process',
      );
    }
  };
  const server = new EmbeddedServer({
    initial: restored(path),
    onChange: (paths) => {
      if (isDue || !paths.some((one) => one.startsWith(ACCESS))) return;
      isDue = true;
      // Several changes of one request are written once; before its answer is sent nobody knows of them.
      setImmediate(write);
    },
  });
  return server;
}

function restored(path: string): readonly StandingNode[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw unusable(path, messageOf(error), error);
  }
  let parsed: z.infer<typeof keptFile>;
  try {
    parsed = keptFile.parse(JSON.parse(text));
  } catch (error) {
    throw unusable(path, 'it does not hold what Holt writes there', error);
  }
  const nodes = new Map<string, Buffer>();
  for (let at = ACCESS.indexOf('/', 1); at !== -1; at = ACCESS.indexOf('/', at + 1))
    nodes.set(ACCESS.slice(0, at), Buffer.alloc(0));
  for (const [node, data] of Object.entries(parsed.nodes).sort(([a], [b]) => (a < b ? -1 : 1)))
    nodes.set(node, Buffer.from(data, 'utf8'));
  return [...nodes].map(([node, data]) => ({ path: node, data }));
}

function unusable(path: string, why: string, cause: unknown): HoltError {
  return new HoltError('HOLT_DATA_DIR', `${path}: ${why}`, { disposition: 'fatal', facts: { path }, cause });
}

/** Whole or not at all, also through a loss of power. */
function writeWhole(path: string, text: string): void {
  const draft = `${path}.new`;
  const file = openSync(draft, 'w', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
}
