/**
 * The console's own files, as `npm run build` leaves them in dist/console: read once, kept in memory, and served with nothing that the
 * page would have to fetch from elsewhere. What has a hash in its name is kept by browsers for good; the page itself is asked for anew.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';

interface ConsoleFile {
  readonly type: string;
  readonly bytes: Buffer;
  /** Null where it would not be smaller. */
  readonly gzipped: Buffer | null;
  readonly etag: string;
  readonly isHashed: boolean;
}

export interface ConsoleFiles {
  /** URL path → file; the page is `/`. */
  readonly files: ReadonlyMap<string, ConsoleFile>;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const NOT_BUILT =
  '<!doctype html><html lang="en"><title>Holt</title><p>The console is not built. Run <code>npm run build</code> and start the node again.</p></html>';
/** What vite puts there has a hash in its name. */
const HASHED = '/assets/';
/** Paths of the server's own; everything else that a browser asks for as a page is the console's. */
const OWN = /^\/(api|metrics|livez|readyz)(\/|$|\?)/;

/** dist/console of the folder that has package.json, whether this runs from sources or from the build. */
export function consoleFolder(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'package.json')) && dirname(dir) !== dir) dir = dirname(dir);
  return join(dir, 'dist/console');
}

/** A folder that is not there is a console that is not built: the page says so. */
export function readConsole(folder: string): ConsoleFiles {
  const names = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
  const files = new Map<string, ConsoleFile>();
  for (const name of names) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    const path = `/${name.replaceAll('\\', '/')}`;
    files.set(
      path === '/index.html' ? '/' : path,
      fileOf(readFileSync(join(folder, name)), type, path.startsWith(HASHED)),
    );
  }
  if (!files.has('/')) files.set('/', fileOf(Buffer.from(NOT_BUILT), 'text/html; charset=utf-8', false));
  return { files };
}

function fileOf(bytes: Buffer, type: string, isHashed: boolean): ConsoleFile {
  const gzipped = type === 'font/woff2' ? null : gzipSync(bytes);
  return {
    type,
    bytes,
    gzipped: gzipped !== null && gzipped.length < bytes.length ? gzipped : null,
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    isHashed,
  };
}

/** Answers if what is asked for is a file of the console, or a page within it; false if it is neither. */
export function sendConsole(console: ConsoleFiles, request: FastifyRequest, reply: FastifyReply): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  const [path = '/'] = request.url.split('?');
  const file = console.files.get(path) ?? (isPage(path, request) ? console.files.get('/') : undefined);
  if (file === undefined) return false;
  reply
    .header('cache-control', file.isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
    .header('etag', file.etag)
    .header('vary', 'accept-encoding')
    .type(file.type);
  if (request.headers['if-none-match'] === file.etag) {
    reply.status(304).send();
    return true;
  }
  const takesGzip = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  if (takesGzip && file.gzipped !== null) reply.header('content-encoding', 'gzip').send(file.gzipped);
  else reply.send(file.bytes);
  return true;
}

/** A deep link, as a browser opens it: its path is for the page to read. */
function isPage(path: string, { headers }: FastifyRequest): boolean {
  return !OWN.test(path) && !path.startsWith(HASHED) && /text\/html/.test(headers.accept ?? '');
}
