/**
 * Paths of the coordination tree: absolute, no empty, `.` or `..` segments, no trailing slash, none of the characters
 * that ZooKeeper refuses (its `PathUtils.validatePath`). Wrong ones are refused here, before anything is sent.
 */

// Control characters, surrogates and private use, specials: what ZooKeeper 3.8 refuses in a path.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are exactly what is looked for
const forbidden = /[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/;

/** The path itself, if it is one. @throws RangeError naming what is wrong with it */
export function checkPath(path: string): string {
  if (path === '/') return path;
  if (!path.startsWith('/')) throw new RangeError(`path ${JSON.stringify(path)} does not start with /`);
  for (const segment of path.slice(1).split('/')) {
    if (segment === '') throw new RangeError(`path ${JSON.stringify(path)} has an empty segment`);
    if (segment === '.' || segment === '..')
      throw new RangeError(`path ${JSON.stringify(path)} has a relative segment`);
  }
  if (forbidden.test(path)) throw new RangeError(`path ${JSON.stringify(path)} has a forbidden character`);
  return path;
}

/** The parent's path; that of `/` is `/`. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

/** The last segment. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function childOf(parent: string, name: string): string {
  return parent === '/' ? `/${name}` : `${parent}/${name}`;
}

/** The path and all above it but the root, from the top: what must exist for it to exist. */
export function lineageOf(path: string): readonly string[] {
  const lineage: string[] = [];
  for (let at = path; at !== '/'; at = parentOf(at)) lineage.unshift(at);
  return lineage;
}
