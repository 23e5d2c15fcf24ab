/** Who may use an installation: the first account, logins kept as contexts, accounts, tokens, audit. */
import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { HoltError, messageOf } from '../../lib/errors.ts';
import { ROLES, type Role } from '../access/role.ts';
import { ApiClient } from '../api/client.ts';
import type { AuditEntryView, NewTokenView, TokenView, UserView } from '../api/views.ts';
import { DEFAULT_SERVER, reach, readContexts, writeContexts } from './contexts.ts';
import { type Column, formatTable, formatValue } from './output.ts';
import { ask } from './prompt.ts';
import { clientOf, type RemoteOptions, remote, type Terminal } from './remote-commands.ts';

const when = (ms: number | null, never: string) =>
  ms === null ? never : new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
const reachText = (pipelines: readonly string[] | null) => pipelines?.join(', ') ?? 'all';

const USER_COLUMNS: readonly Column<UserView>[] = [
  { title: 'name', value: (row) => row.name },
  { title: 'role', value: (row) => (row.disabled ? `${row.role} (disabled)` : row.role) },
  { title: 'pipelines', value: (row) => reachText(row.pipelines) },
  { title: 'created', value: (row) => when(row.createdMs, '-') },
  { title: 'by', value: (row) => row.createdBy },
];

const TOKEN_COLUMNS: readonly Column<TokenView>[] = [
  { title: 'id', value: (row) => row.id },
  { title: 'for', value: (row) => row.name },
  { title: 'account', value: (row) => row.user ?? '-' },
  { title: 'role', value: (row) => row.role },
  { title: 'pipelines', value: (row) => reachText(row.pipelines) },
  { title: 'expires', value: (row) => when(row.expiresMs, 'never') },
  { title: 'last used', value: (row) => `${when(row.lastUsedMs, 'never')} ${row.lastUsedFrom ?? ''}`.trim() },
];

const AUDIT_COLUMNS: readonly Column<AuditEntryView>[] = [
  { title: 'at', value: (row) => when(row.atMs, '-') },
  { title: 'who', value: (row) => row.who },
  { title: 'from', value: (row) => row.from },
  { title: 'action', value: (row) => row.action },
  { title: 'object', value: (row) => row.object },
  { title: 'result', value: (row) => (row.code === null ? row.result : `${row.result} (${row.code})`) },
  { title: 'reason', value: (row) => row.reason },
];

function patterns(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), ...text.split(',').filter((one) => one !== '')];
}

function days(text: string): number | null {
  if (text === 'never') return null;
  const value = Number(text.replace(/d$/, ''));
  if (!(value > 0)) throw new InvalidArgumentError('a number of days is expected, such as 90, or never');
  return value;
}

const roleOption = () => new Option('--role <role>', 'what it may do').choices(ROLES);
const PIPELINES = '--pipelines <patterns>';
const PIPELINES_TEXT = 'only these, separated by commas; * and ? stand for anything';

async function passwordFrom(file: string | undefined, question: string): Promise<string> {
  if (file === undefined) return ask(question, { hidden: true });
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new HoltError('HOLT_FILE_UNREADABLE', `password file: ${messageOf(error)}`, {
      disposition: 'fatal',
    });
  }
}

function keep(name: string, server: string, token: NewTokenView): void {
  const known = readContexts();
  writeContexts({
    version: 1,
    current: name,
    contexts: { ...known.contexts, [name]: { server, token: token.token } },
  });
}

export function addAccessCommands(program: Command, terminal: Terminal): void {
  const print = (options: RemoteOptions, value: unknown, text: () => string) =>
    terminal.out(formatValue(options.output, value, text));
  const purpose = () => `holt login of ${userInfo().username} at ${hostname()}`.slice(0, 128);
  const stranger = (options: RemoteOptions) =>
    new ApiClient({ server: options.server ?? DEFAULT_SERVER, timeoutMs: options.timeout * 1000 });

  interface LoginOptions extends RemoteOptions {
    readonly user?: string;
    readonly passwordFile?: string;
    readonly as?: string;
  }
  const kept = (options: LoginOptions, user: string, token: NewTokenView) => {
    const server = options.server ?? DEFAULT_SERVER;
    const name = options.as ?? options.context ?? new URL(server).host;
    keep(name, server, token);
    const { token: _secret, ...shown } = token;
    print(
      options,
      { context: name, server, ...shown },
      () => `${user} is logged in at ${server}; context ${name}`,
    );
  };

  remote(
    program
      .command('setup')
      .description(
        'make the first account, an administrator, with the token that the first start printed; log in',
      )
      .option('--user <name>', 'name of the account', userInfo().username)
      .option('--token <token>', 'the setup token; asked for if absent')
      .option('--password-file <path>', 'file with the password; asked for if absent')
      .option('--as <context>', 'name of the context that keeps the login'),
  ).action(async (options: LoginOptions & { readonly user: string; readonly token?: string }) => {
    const token = options.token ?? (await ask('setup token: ', { hidden: false }));
    const password = await passwordFrom(options.passwordFile, `password for ${options.user}: `);
    kept(options, options.user, await stranger(options).setup(token, options.user, password, purpose()));
  });
  remote(
    program
      .command('login')
      .description('log in with name and password; a token is kept as a context for the commands that follow')
      .option('--user <name>', 'name of the account', userInfo().username)
      .option('--password-file <path>', 'file with the password; asked for if absent')
      .option('--as <context>', 'name of the context that keeps the login'),
  ).action(async (options: LoginOptions & { readonly user: string }) => {
    const password = await passwordFrom(options.passwordFile, `password for ${options.user}: `);
    kept(options, options.user, await stranger(options).login(options.user, password, purpose()));
  });
  remote(program.command('logout').description('revoke the token of a context and forget it')).action(
    async (options: RemoteOptions) => {
      const known = readContexts();
      const name = options.context ?? known.current;
      const context = name === null ? undefined : known.contexts[name];
      if (name === null || context === undefined) {
        print(options, { context: null }, () => 'nobody is logged in');
        return;
      }
      const [, , id = ''] = context.token.split('_');
      // What the node does not know any more need not be revoked.
      await new ApiClient({ ...context, timeoutMs: options.timeout * 1000 })
        .revokeToken(id)
        .catch((error: unknown) => {
          if (
            !(error instanceof HoltError) ||
            !['HOLT_UNAUTHENTICATED', 'HOLT_TOKEN_UNKNOWN'].includes(error.code)
          )
            throw error;
        });
      const { [name]: _gone, ...contexts } = known.contexts;
      writeContexts({ version: 1, current: known.current === name ? null : known.current, contexts });
      print(options, { context: name }, () => `${name}: logged out`);
    },
  );
  remote(
    program.command('whoami').description('which account the commands come as, and what it may do'),
  ).action(async (options: RemoteOptions) => {
    const session = await clientOf(options).session();
    print(options, session, () => {
      const pipelines = session.pipelines.map((one) => one.join(', ')).join(' and ');
      return `${session.name}, ${session.role}${pipelines === '' ? '' : ` of ${pipelines}`}, at ${reach(options).server}`;
    });
  });

  const context = program.command('context').description('logins that are kept');
  context
    .command('list')
    .description('names, nodes, and which one is used')
    .action(() => {
      const { current, contexts } = readContexts();
      const rows = Object.entries(contexts).map(([name, { server }]) => ({
        name,
        server,
        current: name === current,
      }));
      terminal.out(
        rows.length === 0
          ? 'nobody is logged in: holt login'
          : formatTable(rows, [
              { title: 'context', value: (row) => row.name },
              { title: 'server', value: (row) => row.server },
              { title: 'used', value: (row) => (row.current ? 'yes' : '') },
            ]),
      );
    });
  context
    .command('use')
    .argument('<context>')
    .description('the one for the commands that follow')
    .action((name: string) => {
      const known = readContexts();
      if (!(name in known.contexts))
        throw new HoltError('HOLT_CONFIG_INVALID', `there is no context ${JSON.stringify(name)}`, {
          disposition: 'fatal',
        });
      writeContexts({ ...known, current: name });
      terminal.out(`${name}: used from now on`);
    });

  const user = program.command('user').description('accounts');
  remote(user.command('list').description('accounts with role and pipelines')).action(
    async (options: RemoteOptions) => {
      const value = await clientOf(options).users();
      print(options, value, () =>
        value.length === 0 ? 'there is no account' : formatTable(value, USER_COLUMNS),
      );
    },
  );
  remote(
    user
      .command('create')
      .argument('<name>')
      .description('make an account')
      .addOption(roleOption().makeOptionMandatory())
      .option(PIPELINES, PIPELINES_TEXT, patterns)
      .option('--password-file <path>', 'file with the password; asked for if absent'),
  ).action(
    async (
      name: string,
      options: RemoteOptions & {
        readonly role: Role;
        readonly pipelines?: readonly string[];
        readonly passwordFile?: string;
      },
    ) => {
      const password = await passwordFrom(options.passwordFile, `password for ${name}: `);
      const { role, pipelines = null } = options;
      const value = await clientOf(options).createUser({ name, role, pipelines, password });
      print(options, value, () => `${name}: made, ${value.role} of ${reachText(value.pipelines)} pipelines`);
    },
  );
  remote(
    user
      .command('set')
      .argument('<name>')
      .description('change an account; its logins end')
      .addOption(roleOption())
      .option(PIPELINES, `${PIPELINES_TEXT}; * for all`, patterns)
      .option('--disable', 'it may not come any more')
      .option('--enable', 'it may come again')
      .option('--password', 'ask for another password')
      .option('--password-file <path>', 'file with another password'),
  ).action(
    async (
      name: string,
      options: RemoteOptions & {
        readonly role?: Role;
        readonly pipelines?: readonly string[];
        readonly disable?: true;
        readonly enable?: true;
        readonly password?: true;
        readonly passwordFile?: string;
      },
    ) => {
      const { role, pipelines, disable, enable } = options;
      if (disable === true && enable === true) return user.error('error: say either --disable or --enable');
      const password =
        options.password === true || options.passwordFile !== undefined
          ? await passwordFrom(options.passwordFile, `new password for ${name}: `)
          : undefined;
      const value = await clientOf(options).changeUser(name, {
        ...(role === undefined ? {} : { role }),
        ...(pipelines === undefined ? {} : { pipelines: pipelines.includes('*') ? null : pipelines }),
        ...(disable === true ? { disabled: true } : enable === true ? { disabled: false } : {}),
        ...(password === undefined ? {} : { password }),
      });
      print(options, value, () => formatTable([value], USER_COLUMNS));
    },
  );
  remote(
    user.command('delete').argument('<name>').description('take an account away, with its tokens and logins'),
  ).action(async (name: string, options: RemoteOptions) => {
    await clientOf(options).deleteUser(name);
    print(options, { name, deleted: true }, () => `${name}: deleted`);
  });

  const token = program.command('token').description('API tokens, for programs');
  remote(token.command('list').description('tokens of your own; all of them for administrators')).action(
    async (options: RemoteOptions) => {
      const value = await clientOf(options).tokens();
      print(options, value, () =>
        value.length === 0 ? 'there is no token' : formatTable(value, TOKEN_COLUMNS),
      );
    },
  );
  remote(
    token
      .command('create')
      .argument('<purpose>', 'what it is for')
      .description('make a token; its text is printed this once')
      .addOption(roleOption().default('viewer'))
      .option(PIPELINES, PIPELINES_TEXT, patterns)
      .option('--expires <days>', 'after so many days, or never', days, 90),
  ).action(
    async (
      name: string,
      options: RemoteOptions & {
        readonly role: Role;
        readonly pipelines?: readonly string[];
        readonly expires: number | null;
      },
    ) => {
      const { role, pipelines = null, expires } = options;
      const value = await clientOf(options).createToken({ name, role, pipelines, expiresInDays: expires });
      print(options, value, () => value.token);
    },
  );
  remote(token.command('revoke').argument('<id>').description('nodes refuse it within two seconds')).action(
    async (id: string, options: RemoteOptions) => {
      await clientOf(options).revokeToken(id);
      print(options, { id, revoked: true }, () => `${id}: revoked`);
    },
  );

  const audit = program.command('audit').description('who did what, when, from where, and why');
  remote(
    audit
      .command('list')
      .description('newest first')
      .option('--limit <n>', 'newest so many', Number, 50)
      .option('--who <name>', 'only of this account or token')
      .option('--action <operation>', 'only this operation, such as pausePipeline')
      .option('--object <name>', 'only what was done to this')
      .addOption(
        new Option('--result <result>', 'only with this result').choices(['done', 'refused', 'failed']),
      ),
  ).action(
    async (
      options: RemoteOptions & {
        readonly limit: number;
        readonly who?: string;
        readonly action?: string;
        readonly object?: string;
        readonly result?: string;
      },
    ) => {
      const filter = Object.fromEntries(
        (['who', 'action', 'object', 'result'] as const).flatMap((key) => {
          const value = options[key];
          return value === undefined ? [] : [[key, value]];
        }),
      );
      const value = await clientOf(options).audit(options.limit, filter);
      print(options, value, () =>
        value.length === 0 ? 'nothing was done yet' : formatTable(value, AUDIT_COLUMNS, terminal.width()),
      );
    },
  );
}
