/** What a made-up installation keeps: its ledger, journal, comparisons, configurations, coordination tree and queues; and what is asked of them. */
import { HoltError } from '../../lib/errors.ts';
import type { ErrorCodeName } from '../../model/error-codes.ts';
import type { ClaimView, ZnodeView } from '../../node/cluster-views.ts';
import { configDiff } from '../../node/config-diff.ts';
import type {
  ConfigView,
  DdlDetailView,
  DdlView,
  KeptConfigView,
  LedgerDetailView,
  LedgerEntryView,
  LedgerFilter,
  NodeConfigView,
  Operations,
  QueuesView,
  VerifyView,
} from '../../node/operations.ts';

type Note = (what: string, of: string, given: unknown) => void;
type Config = Readonly<Record<string, unknown>>;

interface Kept {
  readonly view: KeptConfigView;
  readonly config: Config;
}

const DAY_MS = 86_400_000;
/** The pipeline that has something of everything. */
export const RICH = 'orders-frankfurt-oregon';
const GTID = '0e1c8f1e-92aa-11f0-8b52-0242ac120002:184467';

function refuse(code: ErrorCodeName, text: string): never {
  throw new HoltError(code, text, { disposition: 'fatal' });
}

export class MadeUpRecords {
  readonly #note: Note;
  readonly #ends: (name: string) => { readonly from: string; readonly to: string } | undefined;
  readonly #known: (name: string) => void;
  readonly ledger: LedgerDetailView[] = madeLedger();
  readonly ddl: DdlDetailView[] = madeDdl();
  readonly checks: VerifyView[] = madeChecks();
  readonly #configs = new Map<string, { version: number; kept: Kept[] }>();

  constructor(options: {
    readonly note: Note;
    readonly ends: (name: string) => { readonly from: string; readonly to: string } | undefined;
    /** Throws for a pipeline that is none. */
    readonly known: (name: string) => void;
  }) {
    this.#note = options.note;
    this.#ends = options.ends;
    this.#known = options.known;
  }

  operations(): Partial<Operations> {
    return {
      errors: async (name, limit, before, filter) => this.#errors(name, limit, before, filter ?? {}),
      error: async (name, id) => this.#entry(name, id),
      replay: async (name, id, by) => this.#settleEntry(name, id, 'replayed', by),
      closeError: async (name, id, by) => this.#settleEntry(name, id, 'closed', by),
      ddl: async (name, limit, before) => {
        this.#known(name);
        const rows = name === RICH ? this.ddl : [];
        return rows
          .filter(({ id }) => before === null || Number(id) < Number(before))
          .slice(0, limit)
          .map((one): DdlView => ({ ...one, statement: one.statement.replace(/\s+/g, ' ') }));
      },
      ddlRow: async (name, id) => this.#statement(name, id),
      settleDdl: async (name, id, { ran, by }) => {
        this.#note('settleDdl', `${name} ${id}`, { ran, by });
        const found = this.#statement(name, id);
        if (found.state !== 'open') refuse('HOLT_DDL_SETTLED', `statement ${id} is not open`);
        const settled: DdlDetailView = {
          ...found,
          state: ran ? 'ran' : 'void',
          why: `${by} says that it ${ran ? 'ran' : 'did not run'}`,
          settledAt: '2026-11-21 14:05:10.000000',
          settledBy: by,
        };
        this.ddl.splice(this.ddl.indexOf(found), 1, settled);
        return settled;
      },
      startVerify: async (name) => {
        this.#note('startVerify', name, null);
        const started = check('c0ffee0123456789', name, {
          state: 'running',
          chunksDone: 3,
          chunksTotal: null,
        });
        this.checks.unshift(started);
        return started;
      },
      checks: async (name) => {
        this.#known(name);
        return this.checks.filter((one) => one.pipeline === name);
      },
      verify: async (name, id) =>
        this.checks.find((one) => one.pipeline === name && one.id === id) ??
        refuse('HOLT_VERIFY_UNKNOWN', `there is no check ${id}`),
      config: async (name) => this.#ruling(name),
      setConfig: async (name, version, config, by) => {
        this.#note('setConfig', name, { version, config, by });
        const found = this.#configOf(name);
        if (found.version !== version)
          refuse(
            'HOLT_CONFIG_VERSION',
            `the configuration of ${name} was changed since; it has version ${found.version} now`,
          );
        found.version += 1;
        found.kept = [
          kept(`00179${found.version}`, by, Date.now(), config as Config, {
            overridesFiles: true,
            isCurrent: true,
          }),
          ...found.kept.map((one) => ({ ...one, view: { ...one.view, isCurrent: false } })),
        ];
        return this.#ruling(name);
      },
      checkConfig: async (name, config) => {
        const { tables, batch } = config as {
          readonly tables?: unknown;
          readonly batch?: { readonly window?: unknown };
        };
        const problems = [
          ...(tables === undefined
            ? [{ path: 'tables', message: 'Invalid input: expected object, received undefined' }]
            : []),
          ...(typeof batch?.window === 'number' && batch.window > 64
            ? [{ path: 'batch', message: 'a size is out of its bounds' }]
            : []),
        ];
        const differences = problems.length > 0 ? [] : configDiff(this.#ruling(name).config, config);
        return { valid: problems.length === 0, problems, differences };
      },
      configHistory: async (name) => this.#configOf(name).kept.map(({ view }) => view),
      keptConfig: async (name, id) => {
        const { view, config } = this.#kept(name, id);
        return { ...view, config };
      },
      configDiff: async (name, from, to) => {
        const read = (which: string): Config => {
          if (which === 'current') return this.#ruling(name).config;
          const { kept: all } = this.#configOf(name);
          if (which === 'files')
            return all.find(({ view }) => !view.overridesFiles)?.config ?? this.#ruling(name).config;
          return this.#kept(name, which).config;
        };
        return { from, to, differences: configDiff(read(from), read(to)) };
      },
      nodeConfig: async (node) => madeNodeConfig(node),
      queues: async () => madeQueues(),
    };
  }

  claims(): readonly ClaimView[] {
    const now = Date.now();
    const claim = (
      path: string,
      kind: ClaimView['kind'],
      node: string,
      ageMs: number,
      rest: Partial<ClaimView>,
    ): ClaimView => ({
      path,
      kind,
      node,
      pipeline: null,
      stage: null,
      source: null,
      sinceMs: now - ageMs,
      ageMs,
      ...rest,
    });
    const stage = (
      name: string,
      what: 'extract' | 'transform' | 'load',
      task: string,
      node: string,
      ageMs: number,
    ) =>
      claim(`/seda/stage/${name}:${what}/${task}/lock`, 'task', node, ageMs, { pipeline: name, stage: what });
    return [
      claim('/otter/canal/destinations/fra-db/running', 'source', 'fra-1', 4 * 3_600_000, {
        source: 'fra-db',
      }),
      claim('/otter/canal/destinations/ore-db/running', 'source', 'ore-1', 11 * 3_600_000, {
        source: 'ore-db',
      }),
      claim(`/seda/stage/${RICH}:select/main/lock`, 'mainstem', 'fra-1', 4 * 3_600_000, {
        pipeline: RICH,
        stage: 'select',
      }),
      stage(RICH, 'extract', '0000000017-90415', 'fra-1', 9),
      stage(RICH, 'transform', '0000000017-90414', 'ore-1', 31),
      stage(RICH, 'load', '0000000017-90413', 'ore-1', 84),
      stage('search-frankfurt-singapore', 'extract', '0000000009-00117', 'fra-2', 4_100),
    ];
  }

  znode(path: string): { readonly node: ZnodeView; readonly children: readonly string[] } {
    const children = CHILDREN[path];
    if (children === undefined) refuse('HOLT_ZNODE_UNKNOWN', `there is no ${path} in the tree`);
    const data = DATA[path] ?? '';
    const hidden = path.startsWith('/seda/access/');
    return {
      node: {
        path,
        data: hidden ? null : data,
        hidden,
        version: data === '' ? 0 : 3,
        createdMs: Date.now() - 9 * DAY_MS,
        changedMs: Date.now() - 3_600_000,
        ephemeralOwner: path.startsWith('/seda/node/') ? '0x1000a3f0001' : null,
        children: children.length,
      },
      children,
    };
  }

  #errors(
    name: string,
    limit: number,
    before: string | null,
    filter: LedgerFilter,
  ): readonly LedgerEntryView[] {
    this.#known(name);
    return (name === RICH ? this.ledger : [])
      .filter(
        (one) =>
          (before === null || Number(one.id) < Number(before)) &&
          (filter.state === undefined || one.status === filter.state) &&
          (filter.kind === undefined || one.code === filter.kind) &&
          (filter.table === undefined || one.table === filter.table),
      )
      .slice(0, limit);
  }

  #entry(name: string, id: string): LedgerDetailView {
    const found = name === RICH ? this.ledger.find((one) => one.id === id) : undefined;
    return found ?? refuse('HOLT_LEDGER_MISSING', `${name} has no ledger entry ${id}`);
  }

  #settleEntry(name: string, id: string, status: 'replayed' | 'closed', by: string): LedgerEntryView {
    this.#note(status, `${name} ${id}`, by);
    const found = this.#entry(name, id);
    if (found.code === 'parent-missing' && status === 'replayed')
      throw new HoltError('HOLT_REPLAY_REFUSED', `ledger entry ${id} cannot be applied: parent-missing`, {
        disposition: 'fatal',
      });
    const settled = { ...found, status, state: `${status} by ${by}` };
    this.ledger.splice(this.ledger.indexOf(found), 1, settled);
    return settled;
  }

  #statement(name: string, id: string): DdlDetailView {
    const found = name === RICH ? this.ddl.find((one) => one.id === id) : undefined;
    return found ?? refuse('HOLT_DDL_MISSING', `the journal of ${name} has no row ${id}`);
  }

  #configOf(name: string) {
    this.#known(name);
    const known = this.#configs.get(name);
    if (known !== undefined) return known;
    const now = Date.now();
    const files = madeConfig(name, this.#ends(name), 6);
    const made = {
      version: 3,
      kept: [
        kept('000001795000000-a1b2c3d4e5f6', 'mira', now - 3_600_000, madeConfig(name, this.#ends(name), 8), {
          overridesFiles: true,
          isCurrent: true,
        }),
        kept('000001794000000-0a1b2c3d4e5f', 'fra-1', now - 2 * DAY_MS, files),
        kept('000001793000000-ffeeddccbbaa', 'fra-1', now - 9 * DAY_MS, {
          ...files,
          tables: { include: ['shop.*'], exclude: [] },
        }),
      ],
    };
    this.#configs.set(name, made);
    return made;
  }

  #kept(name: string, id: string): Kept {
    const found = this.#configOf(name).kept.find(({ view }) => view.id === id);
    return found ?? refuse('HOLT_CONFIG_UNKNOWN', `the history of ${name} has no ${id}`);
  }

  #ruling(name: string): ConfigView {
    const { version, kept: all } = this.#configOf(name);
    const ruling = all.find(({ view }) => view.isCurrent);
    if (ruling === undefined) return refuse('HOLT_CONFIG_UNKNOWN', `${name} has none`);
    const { by, writtenMs, overridesFiles } = ruling.view;
    return {
      pipeline: name,
      version,
      by,
      writtenMs,
      overridesFiles,
      isOfFiles: !overridesFiles,
      config: { ...ruling.config },
    };
  }
}

function kept(
  id: string,
  by: string,
  writtenMs: number,
  config: Config,
  more: Partial<KeptConfigView> = {},
): Kept {
  return { view: { id, by, writtenMs, overridesFiles: false, isCurrent: false, ...more }, config };
}

function madeConfig(
  name: string,
  ends: { readonly from: string; readonly to: string } | undefined,
  window: number,
): Config {
  const database = (site: string | undefined) => `${(site ?? 'none').slice(0, 3)}-db`;
  return {
    name,
    channel: name.split('-')[0] ?? name,
    source: database(ends?.from),
    target: database(ends?.to),
    sourceSite: ends?.from ?? '',
    targetSite: ends?.to ?? '',
    origins: [ends?.from ?? ''],
    start: { kind: 'now' },
    tables: { include: ['shop.*'], exclude: ['shop.tmp_*'] },
    rules: [
      {
        match: 'shop.orders',
        to: { schema: null, table: null },
        columns: { rename: {}, drop: ['internal_note'], order: null, constant: {} },
        where: "region = 'EU'",
        processor: null,
      },
    ],
    batch: { maxRows: 5_000, maxBytes: 8_388_608, partBytes: 8_388_608, window },
    conflict: { detect: true, winner: 'frankfurt' },
    onTableError: 'park',
    pipe: { kind: 'node' },
    largeTransactions: 'whole',
    ddl: { default: 'replicate', kinds: { 'drop-database': 'stop' } },
  };
}

function madeLedger(): LedgerDetailView[] {
  const entry = (
    given: Partial<LedgerDetailView> & Pick<LedgerDetailView, 'id' | 'code' | 'op'>,
  ): LedgerDetailView => ({
    at: `2026-11-21 13:${String(10 + (Number(given.id) % 50)).padStart(2, '0')}:04.218812`,
    table: 'shop.orders',
    key: `{"id":"${88_000 + Number(given.id)}"}`,
    status: 'open',
    decision: 'target',
    state: "open, the target's version stands",
    origin: 'frankfurt',
    gtid: GTID,
    position: `${GTID.split(':')[0]}:1-184467210`,
    before: null,
    after: null,
    found: null,
    why: 'the row at the target is not what it was at the source before the change',
    ...given,
  });
  const order = (id: string, more: Readonly<Record<string, string | null>>) => ({
    id,
    customer: '4711',
    status: 'packed',
    total: '129.90',
    note: null,
    changed_at: '2026-11-21 13:09:58.114000',
    ...more,
  });
  return [
    entry({
      id: '31',
      code: 'update-differs',
      op: 'update',
      before: order('88031', {}),
      after: order('88031', { status: 'shipped', changed_at: '2026-11-21 13:12:01.400000' }),
      found: order('88031', {
        status: 'cancelled',
        note: 'called by phone: „storno“',
        changed_at: '2026-11-21 13:11:47.020000',
      }),
    }),
    entry({
      id: '30',
      code: 'delete-missing',
      op: 'delete',
      before: order('88030', {}),
      why: 'the row is not there',
      decision: 'source',
      state: "open, the source's version stands",
    }),
    entry({
      id: '29',
      code: 'parent-missing',
      op: 'insert',
      table: 'shop.order_items',
      after: { order_id: '87999', line: '1', article: 'A-2044', amount: '3' },
      why: 'the row that foreign key order_items_order points to is not there',
    }),
    entry({
      id: '28',
      code: 'row-too-large',
      op: 'insert',
      table: 'shop.attachments',
      after: { id: '5512', name: 'invoice.pdf', body: `0x${'25504446'.repeat(24)}` },
      why: 'a statement with the row has 71303168 bytes, and max_allowed_packet is 67108864',
    }),
    entry({
      id: '27',
      code: 'insert-present',
      op: 'insert',
      after: order('88027', {}),
      found: order('88027', { total: '119.90' }),
      status: 'closed',
      state: 'closed by mira',
      why: 'a row with its key is there',
    }),
    entry({
      id: '26',
      code: 'update-missing',
      op: 'update',
      before: order('88026', {}),
      after: order('88026', { status: 'shipped' }),
      status: 'replayed',
      state: 'replayed by mira',
      why: 'the row is not there',
    }),
  ];
}

function madeDdl(): DdlDetailView[] {
  const row = (
    given: Partial<DdlDetailView> & Pick<DdlDetailView, 'id' | 'state' | 'kind' | 'statement'>,
  ): DdlDetailView => ({
    at: '2026-11-21 09:14:02.118213',
    why: 'its GTID is among those executed',
    origin: 'frankfurt',
    seq: '90377',
    sourceRef: GTID,
    sent: given.statement,
    defaultSchema: 'shop',
    sessionTime: '1795252442.118213',
    ownGtid: '7c1d2e3f-92aa-11f0-8b52-0242ac120009:4417',
    connectionId: 88_213,
    log: 'binlog.000482:71204118',
    settledAt: '2026-11-21 09:14:03.004100',
    settledBy: 'ore-1',
    ...given,
  });
  return [
    row({
      id: '7',
      state: 'open',
      kind: 'truncate-table',
      statement: 'TRUNCATE TABLE shop.basket_cache',
      at: '2026-11-21 13:58:40.500000',
      why: null,
      settledAt: null,
      settledBy: null,
      ownGtid: null,
    }),
    row({
      id: '6',
      state: 'done',
      kind: 'alter-table',
      statement:
        'ALTER TABLE shop.orders\n  ADD COLUMN delivered_at DATETIME(3) NULL AFTER status,\n  ADD INDEX by_delivery (delivered_at)',
      sent: 'ALTER TABLE `shop`.`orders`\n  ADD COLUMN delivered_at DATETIME(3) NULL AFTER status,\n  ADD INDEX by_delivery (delivered_at)',
    }),
    row({
      id: '5',
      state: 'failed',
      kind: 'create-table',
      statement: 'CREATE TABLE shop.vouchers LIKE shop.coupons',
      why: 'error 1050: Table is there already',
    }),
    row({
      id: '4',
      state: 'void',
      kind: 'drop-table',
      statement: 'DROP TABLE shop.old_prices',
      why: 'mira says that it did not run',
      settledBy: 'mira',
    }),
  ];
}

function check(id: string, pipeline: string, given: Partial<VerifyView>): VerifyView {
  return {
    id,
    pipeline,
    state: 'equal',
    chunksDone: 412,
    chunksTotal: 412,
    rowsCompared: 823_104,
    differences: [],
    differencesTotal: 0,
    error: null,
    ...given,
  };
}

function madeChecks(): VerifyView[] {
  return [
    check('5c0de1a2b3c4d5e6', RICH, {
      state: 'running',
      chunksDone: 118,
      chunksTotal: 412,
      rowsCompared: 235_806,
    }),
    check('9a8b7c6d5e4f3a2b', RICH, {
      state: 'different',
      differencesTotal: 3,
      differences: [
        {
          table: 'shop.orders',
          key: 'id=88031',
          kind: 'different',
          columns: ['status', 'note', 'changed_at'],
        },
        { table: 'shop.order_items', key: 'order_id=87999, line=1', kind: 'missing', columns: [] },
        { table: 'shop.articles', key: "sku='A-2044'", kind: 'unexpected', columns: [] },
      ],
    }),
    check('1122334455667788', RICH, {}),
    check('deadbeef00112233', RICH, {
      state: 'failed',
      chunksDone: 12,
      rowsCompared: 24_000,
      error: 'fra-db: the connection was lost while a chunk was read',
    }),
  ];
}

function madeNodeConfig(node: string): NodeConfigView {
  return {
    node,
    pipelines: [RICH],
    config: {
      cluster: 'shop',
      coordination: { kind: 'zookeeper', connect: 'zk-1:2181,zk-2:2181,zk-3:2181' },
      api: { auth: true, token: '(none)', historyDays: 90 },
      dataSources: [
        {
          name: 'fra-db',
          site: 'frankfurt',
          host: 'db.frankfurt.example',
          port: 3306,
          user: 'holt',
          password: '${env:FRA_DB_PASSWORD}',
        },
      ],
      node: {
        name: node,
        site: 'frankfurt',
        listen: { host: '0.0.0.0', port: 8640 },
        drainTimeoutMs: 20_000,
      },
    },
  };
}

function madeQueues(): QueuesView {
  const queue = (node: string, waiting: number, active: number) => ({
    node,
    queue: `holt-verify-${node}`,
    kept: 'redis' as const,
    waiting,
    active,
    delayed: 0,
    failed: node === 'ore-1' ? 2 : 0,
    completed: 1_236,
  });
  return {
    items: [
      queue('fra-1', 292, 2),
      queue('ore-1', 0, 0),
      { ...queue('sin-1', 0, 0), waiting: null, active: null, delayed: null, failed: null, completed: null },
    ],
    silent: ['fra-2'],
  };
}

const CHILDREN: Readonly<Record<string, readonly string[]>> = {
  '/': ['otter', 'seda'],
  '/otter': ['canal'],
  '/otter/canal': ['destinations'],
  '/otter/canal/destinations': ['fra-db', 'ore-db', 'sin-db'],
  '/seda': ['access', 'node', 'pipeline', 'stage'],
  '/seda/access': ['audit', 'session', 'token', 'user'],
  '/seda/access/user': ['mira'],
  '/seda/access/user/mira': [],
  '/seda/node': ['fra-1', 'fra-2', 'ore-1', 'ore-2', 'sin-1'],
  '/seda/node/fra-1': [],
  '/seda/pipeline': [RICH, 'orders-oregon-frankfurt'],
  [`/seda/pipeline/${RICH}`]: ['config', 'epoch', 'history', 'receipt', 'state'],
  [`/seda/pipeline/${RICH}/epoch`]: [],
};

const DATA: Readonly<Record<string, string>> = {
  '/seda/node/fra-1': '{"version":1,"node":"fra-1","site":"frankfurt","address":"https://fra-1:8641"}',
  [`/seda/pipeline/${RICH}/epoch`]:
    '{"version":1,"epoch":17,"tenure":"8c4b1d6f0a2e4b7c9d3e5f6071829304","seq":"90377","node":"fra-1","raisedMs":1795252442118}',
};
