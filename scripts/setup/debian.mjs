import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { run, tail } from './run.mjs';

/*
 * Debian packages without installing them. apt resolves and downloads with lists and a cache of our own, and dpkg-deb
 * unpacks into a folder of ours: no root, no maintainer script, no service started, stopped or restarted, and the
 * system's own package database is only read.
 */

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const MARKER = '.holt-tree.json';

/**
 * @typedef {object} Recipe
 * @property {string} name folder name of the tree
 * @property {'machine' | 'sid'} suite the machine's own sources, or Debian unstable
 * @property {readonly string[]} packages
 * @property {'missing' | 'all' | 'none'} dependencies those the machine lacks; all, libc included (a tree that runs
 *   with its own loader); or none beyond `packages`
 */

/**
 * The unpacked tree of a recipe, made if it is not there.
 * @param {string} cache
 * @param {Recipe} recipe
 * @param {(text: string) => void} say
 * @returns {Promise<{ dir: string, versions: Record<string, string> }>}
 */
export async function debianTree(cache, recipe, say) {
  const dir = join(cache, 'debian', recipe.name);
  const wanted = JSON.stringify(recipe);
  const present = readMarker(dir);
  if (present?.recipe === wanted) return { dir, versions: present.versions };

  say(
    `downloading ${recipe.packages.join(', ')} (Debian ${recipe.suite === 'sid' ? 'unstable' : 'packages'})`,
  );
  const work = `${dir}.new`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, 'debs'), { recursive: true });
  const apt = await aptFor(cache, recipe);
  const fetched = () =>
    recipe.dependencies === 'none'
      ? apt('apt-get', ['download', ...recipe.packages], join(work, 'debs'))
      : apt('apt-get', ['install', '-y', '--download-only', ...recipe.packages], work);
  let updated = await updateOnce(recipe.suite, apt, work);
  let result = await fetched();
  if (result.code !== 0 && /\b404\b/.test(result.output)) {
    // The index was older than the pool behind it: once more with a new one.
    updates.delete(recipe.suite);
    updated = await updateOnce(recipe.suite, apt, work);
    result = await fetched();
  }
  if (result.code !== 0)
    throw new Error(
      `apt-get could not download ${recipe.packages.join(' ')}: ${causeIn(`${updated.output}\n${result.output}`)}`,
    );
  const debs = [join(work, 'debs'), join(aptDir(cache, recipe), 'cache', 'archives')].flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.deb'))
      .map((file) => join(folder, file)),
  );
  const root = join(work, 'root');
  mkdirSync(root);
  const versions = {};
  for (const deb of debs) {
    const unpacked = await run('dpkg-deb', ['-x', deb, root]);
    if (unpacked.code !== 0) throw new Error(`dpkg-deb -x ${deb}: ${tail(unpacked.output)}`);
    const fields = await run('dpkg-deb', ['-f', deb, 'Package', 'Version']);
    const name = /^Package: (.*)$/m.exec(fields.stdout)?.[1];
    if (name !== undefined) versions[name] = /^Version: (.*)$/m.exec(fields.stdout)?.[1] ?? '';
    rmSync(deb);
  }
  relink(root);
  writeFileSync(join(root, MARKER), JSON.stringify({ recipe: wanted, versions }));
  rmSync(dir, { recursive: true, force: true });
  renameSync(root, dir);
  rmSync(work, { recursive: true, force: true });
  return { dir, versions };
}

/** A tree that no longer runs is made anew at the next call. */
export function forgetTree(cache, name) {
  rmSync(join(cache, 'debian', name, MARKER), { force: true });
}

function readMarker(dir) {
  try {
    return JSON.parse(readFileSync(join(dir, MARKER), 'utf8'));
  } catch {
    return undefined;
  }
}

/** Suite → its update in this process: one is enough for all trees of a suite. */
const updates = new Map();

function updateOnce(suite, apt, cwd) {
  const update = updates.get(suite) ?? apt('apt-get', ['update'], cwd);
  updates.set(suite, update);
  return update;
}

/** The line of apt's output that says most about why. */
function causeIn(output) {
  const lines = output.split('\n').map((line) => line.trim());
  const telling =
    /resolv|could not connect|connection|timed out|404|403|expired|not signed|unable to locate/i;
  const errors = lines.filter((line) => /^[EW]: /.test(line));
  return lines.find((line) => telling.test(line)) ?? errors.at(-1) ?? tail(output, 3);
}

const aptDir = (cache, recipe) => join(cache, 'apt', `${recipe.suite}-${recipe.dependencies}`);

/** A runner for apt with folders of its own; of the machine's settings it keeps how to fetch (proxy, checks). */
async function aptFor(cache, recipe) {
  const dir = aptDir(cache, recipe);
  rmSync(join(dir, 'cache', 'archives'), { recursive: true, force: true });
  for (const sub of ['cache/archives/partial', 'parts', 'state'])
    mkdirSync(join(dir, sub), { recursive: true });
  const lists = join(cache, 'apt', `${recipe.suite}-lists`);
  mkdirSync(join(lists, 'partial'), { recursive: true });
  const dump = await run('apt-config', ['dump']);
  if (dump.code !== 0) throw new Error('apt is not on this machine');
  const machine = dump.stdout.split('\n');
  writeFileSync(join(dir, 'empty-status'), '');
  const settings = [
    ...machine.filter((line) => line.startsWith('Acquire')),
    ...machine.filter((line) => line.startsWith('APT::Architecture')),
    // No hooks and no settings besides these: the machine's apt.conf.d may run programs after an update.
    `Dir::Etc::main "/dev/null";`,
    `Dir::Etc::parts "${dir}/parts";`,
    `Dir::State "${dir}/state";`,
    `Dir::State::lists "${lists}";`,
    `Dir::State::status "${recipe.dependencies === 'missing' ? '/var/lib/dpkg/status' : `${dir}/empty-status`}";`,
    `Dir::Cache "${dir}/cache";`,
    `Dir::Log "${dir}/state";`,
    `APT::Sandbox::User "";`,
    // Downloading changes nothing of the system's: it neither needs its locks nor waits for them.
    `Debug::NoLocking "true";`,
    `APT::Install-Recommends "false";`,
    `Acquire::Languages "none";`,
    `Acquire::Retries "1";`,
  ];
  if (recipe.suite === 'sid') {
    const sources = join(dir, 'sources.list');
    const signedBy = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : '';
    writeFileSync(sources, `deb ${signedBy}${debianMirror()} sid main\n`);
    settings.push(`Dir::Etc::sourcelist "${sources}";`, `Dir::Etc::sourceparts "${dir}/parts";`);
  }
  const conf = join(dir, 'apt.conf');
  writeFileSync(conf, `${settings.join('\n')}\n`);
  const env = { ...process.env, APT_CONFIG: conf, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
  return (command, args, cwd) => run(command, args, { env, cwd });
}

/** The mirror that the machine's own sources name for a Debian suite. */
function debianMirror() {
  const files = ['/etc/apt/sources.list'];
  try {
    for (const file of readdirSync('/etc/apt/sources.list.d'))
      files.push(join('/etc/apt/sources.list.d', file));
  } catch {
    // a machine without that folder has its sources in the one file
  }
  for (const file of files) {
    const mirror = existsSync(file) ? mirrorIn(readFileSync(file, 'utf8')) : undefined;
    if (mirror !== undefined) return mirror;
  }
  throw new Error("the machine's apt sources name no Debian mirror");
}

/**
 * The first Debian mirror of a sources file, in either of apt's two forms (sources.list(5)).
 * @param {string} text
 * @returns {string | undefined}
 */
export function mirrorIn(text) {
  // one line: deb [options] URI suite component …; deb822: URIs: URI …
  const uris = text.matchAll(/^[ \t]*(?:deb[ \t]+(?:\[[^\]]*\][ \t]+)?|URIs:[ \t]*)(\S+)/gm);
  for (const [, uri] of uris) if (uri !== undefined && /\/debian\/?$/.test(uri)) return uri;
  return undefined;
}

/** Absolute links inside a package mean the system's root: make them mean the tree's, where the tree has the target. */
export function relink(root, dir = root) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) relink(root, path);
    else if (entry.isSymbolicLink()) {
      const target = readlinkSync(path);
      if (!target.startsWith('/') || !isThere(join(root, target))) continue;
      rmSync(path);
      symlinkSync(relative(dirname(path), join(root, target)), path);
    }
  }
}

function isThere(path) {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
