/**
 * Every key of the configuration: validator, default, unit and sentence in one place. Help, JSON Schema and the
 * reference page come from here; unknown keys are errors.
 *
 * A configuration is one or more YAML documents, in one file or a folder, each `{apiVersion, kind, metadata, spec}`.
 */
import { z } from 'zod';
import { ALARM_KINDS, ALARM_SEVERITIES, CHANNEL_KINDS, WEEKDAYS } from '../model/alarm.ts';
import { DDL_ACTIONS, DDL_POLICY_KINDS } from '../model/ddl.ts';
import { MAX_LANES } from '../model/holt-tables.ts';
import { NAME_RULE } from '../model/ids.ts';

export const API_VERSION = 'holt/v1';

const name = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9_.-]{0,62}[a-z0-9])?$/, `a name: ${NAME_RULE}`)
  .refine((text) => !text.includes('..'), 'a name without ".."');

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const UNITS_BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

function quantity(units: Readonly<Record<string, number>>, example: string) {
  const form = new RegExp(`^([0-9]+(?:\\.[0-9]+)?) ?(${Object.keys(units).join('|')})$`);
  return z
    .string()
    .regex(form, `a number with one of the units ${Object.keys(units).join(', ')}, such as ${example}`)
    .transform((text) => {
      const [, amount, unit] = form.exec(text) ?? [];
      return Math.round(Number(amount) * (units[unit ?? ''] ?? 1));
    });
}

/** In milliseconds once parsed. */
const duration = quantity(UNITS_MS, '30s');
/** In bytes once parsed. */
const size = quantity(UNITS_BYTES, '64MiB');

const pattern = z
  .string()
  .regex(/^[^.\s]+\.[^\s]+$/, 'a pattern "schema.table", with * and ? as wildcards, such as shop.*');

const port = z.number().int().min(0).max(65535);

/** A secret by reference: the loader leaves `${env:NAME}` and `${file:path}` unresolved here. */
const secret = z
  .string()
  .regex(
    /^\$\{(env|file):[^}]+\}$/,
    'a reference such as ${env:DB_PASSWORD} or ${file:/etc/holt/password}, never the secret itself',
  );

const tls = z
  .strictObject({
    mode: z
      .enum(['disabled', 'required', 'verify-ca', 'verify-identity'])
      .describe('How much of the server is checked. verify-identity checks certificate and host name.'),
    ca: z.string().optional().describe('Path of a PEM file with the accepted authorities.'),
    cert: z.string().optional().describe('Path of our certificate, PEM.'),
    key: z.string().optional().describe("Path of our certificate's key, PEM."),
  })
  .describe('TLS. Without this block: verify-identity to other machines, disabled to loopback addresses.');

export const dataSourceSpec = z.strictObject({
  site: name.describe('Site the server stands at.'),
  host: z.string().min(1).describe('Host name or address.'),
  port: port.default(3306).describe('TCP port.'),
  user: z.string().min(1).describe('Account; `holt grants print` tells what it needs.'),
  password: secret.optional().describe('Password by reference; an account without one if absent.'),
  tls: tls.optional(),
  serverId: z
    .number()
    .int()
    .min(1)
    .max(4294967295)
    .optional()
    .describe(
      'server_id under which Holt follows the binlog; it and the 15 after it must be free. Derived from cluster and name if absent.',
    ),
  connectTimeout: duration.prefault('10s').describe('How long a connection attempt may take.'),
});

const constantValue = z.union([z.string(), z.null()]);

export const tableRule = z.strictObject({
  match: pattern.describe("Pattern on the source's names; the first rule that matches a table counts."),
  to: z
    .strictObject({
      schema: z.string().min(1).max(64).optional().describe('Schema at the target.'),
      table: z.string().min(1).max(64).optional().describe('Table at the target.'),
    })
    .default({})
    .describe('Schema and table at the target; what is absent stays as at the source.'),
  columns: z
    .strictObject({
      rename: z
        .record(z.string(), z.string().min(1).max(64))
        .default({})
        .describe('Source column → target column.'),
      drop: z.array(z.string()).default([]).describe('Source columns not carried.'),
      order: z
        .array(z.string())
        .optional()
        .describe('Target columns in the order in which they are written.'),
      constant: z
        .record(z.string(), constantValue)
        .default({})
        .describe('Target column → a value that every row gets, as text, or null.'),
    })
    .prefault({})
    .describe('What becomes of columns.'),
  where: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Row filter, such as region = 'EU' and total >= 10. A row that leaves the filter is deleted at the target, one that enters is inserted.",
    ),
  triggers: z
    .enum(['refuse', 'allow'])
    .default('refuse')
    .describe(
      'A table with triggers at the target is refused, since they would do again what the source has done and logged; allow lets them act, once for each change, in the order of the source.',
    ),
  processor: z
    .string()
    .min(1)
    .optional()
    .describe('Path of a .js or .ts module that changes rows; must be deterministic.'),
});

const start = z
  .union([
    z.enum(['now', 'earliest']),
    z.strictObject({ gtid: z.string().min(1) }),
    z.strictObject({ file: z.string().min(1), pos: z.number().int().min(4) }),
    z.strictObject({ time: z.iso.datetime({ offset: true }) }),
  ])
  .describe(
    'Where a pipeline without checkpoint begins: now, earliest, {gtid: …}, {file: …, pos: …} or {time: ISO instant}. Never guessed.',
  );

const ddlAction = z.enum(DDL_ACTIONS);

const ddlPolicy = z
  .union([
    ddlAction,
    z.strictObject({
      default: ddlAction.default('replicate'),
      ...(Object.fromEntries(DDL_POLICY_KINDS.map((kind) => [kind, ddlAction.optional()])) as Record<
        (typeof DDL_POLICY_KINDS)[number],
        z.ZodOptional<typeof ddlAction>
      >),
    }),
  ])
  .default('replicate')
  .describe(
    'Schema changes of replicated tables: replicate, ignore or stop, for all or by kind of statement, such as {default: replicate, drop-table: stop}. drop-database stops unless it is named itself.',
  );

export const pipelineSpec = z.strictObject({
  source: name.describe('Data source that is read.'),
  target: name.describe('Data source that is written.'),
  start: start.optional(),
  tables: z
    .union([
      z.array(pattern).min(1),
      z.strictObject({
        include: z.array(pattern).min(1).describe('Tables carried.'),
        exclude: z.array(pattern).default([]).describe('Of those, tables not carried.'),
        onError: z
          .enum(['stop', 'park'])
          .default('stop')
          .describe(
            'A table whose changes the target does not take (missing, or it does not fit): stop waits with the whole pipeline until it does; park holds the changes of that table back, and the others go on.',
          ),
      }),
    ])
    .describe(
      'Tables carried: patterns, or {include, exclude}. mysql, sys, information_schema, performance_schema and holt never are.',
    ),
  rules: z.array(tableRule).default([]).describe('Names, columns and rows changed on the way.'),
  origins: z
    .array(name)
    .min(1)
    .optional()
    .describe("Sites whose changes this pipeline carries; the source's own site if absent."),
  batch: z
    .strictObject({
      maxRows: z.number().int().min(1).max(1_000_000).default(20_000).describe('Rows a batch may hold.'),
      maxBytes: size.prefault('16MiB').describe('Bytes a batch may hold.'),
      partBytes: size.prefault('8MiB').describe('A larger transaction goes in parts of this size.'),
      window: z
        .number()
        .int()
        .min(1)
        .max(64)
        .default(6)
        .describe('Batches in flight; over a long link up to twice as many, while they are small.'),
    })
    .prefault({})
    .describe('Sizes of batches.'),
  large_transactions: z
    .enum(['whole', 'chunked'])
    .default('whole')
    .describe(
      'A transaction above batch.partBytes: whole is one transaction at the target, too. chunked cuts it into several of that size: each takes effect once, but readers at the target see parts of it, and after a fault it may stay half done until the pipeline goes on.',
    ),
  apply: z
    .strictObject({
      mode: z
        .enum(['prefix', 'parallel'])
        .default('prefix')
        .describe(
          'prefix: one connection and one transaction a batch, so that the target shows the source as it was at some transaction boundary (G3). parallel: rows of a batch that do not depend on each other go over several connections at once, each committing for itself. It is faster where a backlog has to be caught up and the target has cores to spare; every change still takes effect exactly once and in order for its row, but readers of the target may see a part of a batch, of a transaction too, and after a fault it may stay so until the pipeline goes on.',
        ),
      lanes: z
        .number()
        .int()
        .min(1)
        .max(MAX_LANES)
        .default(4)
        .describe('parallel: connections at once, each with a checkpoint row of its own.'),
      minRows: z
        .number()
        .int()
        .min(1)
        .max(1_000_000)
        .default(2000)
        .describe(
          'parallel: a batch with fewer rows goes in one transaction, as in mode prefix: one commit is quicker than several.',
        ),
    })
    .prefault({})
    .describe('How batches are written at the target.'),
  ddl: ddlPolicy,
  pipe: z
    .enum(['node', 'redis'])
    .default('node')
    .describe("What keeps a batch between stages: the node's memory, or the site's Redis."),
});

export const channelSpec = z.strictObject({
  pipelines: z
    .record(name, pipelineSpec)
    .describe('Pipelines that keep the same data in step: two for two-way.'),
  winner: name
    .optional()
    .describe(
      'Two-way: the site whose version stays when a row is not what its before image says. Required with two or more pipelines.',
    ),
});

export const nodeSpec = z.strictObject({
  site: name.describe('Site the node stands at.'),
  serves: z
    .array(name)
    .min(1)
    .optional()
    .describe(
      'Sites whose stages it takes part in; its own if absent. More than one is for trials on one machine.',
    ),
  listen: z
    .string()
    .regex(/^(\[[0-9a-fA-F:]+\]|[^:]+):[0-9]+$/, 'host:port')
    .default('127.0.0.1:8640')
    .describe(
      'Address of API, health and metrics; loopback only where api.auth is off. Port 0 takes a free one.',
    ),
  pipe: z
    .strictObject({
      listen: z
        .string()
        .regex(/^(\[[0-9a-fA-F:]+\]|[^:]+):[0-9]+$/, 'host:port')
        .default('127.0.0.1:8641')
        .describe('Address that other nodes call. Port 0 takes a free one.'),
      advertise: z
        .string()
        .regex(/^(\[[0-9a-fA-F:]+\]|[^:/\s]+):[0-9]+$/, 'host:port')
        .optional()
        .describe('host:port under which other nodes reach this one; the listen address if absent.'),
      tls: z
        .strictObject({
          cert: z.string().describe('Path of the certificate of this node.'),
          key: z.string().describe('Path of its key.'),
          ca: z.string().describe('Path of the authorities by which other nodes are known.'),
        })
        .optional()
        .describe('PEM files; mutual TLS when given.'),
      maxPayload: size.prefault('256MiB').describe('Largest payload taken from another node.'),
    })
    .prefault({})
    .describe('Channel between nodes.'),
  clusterKey: secret
    .optional()
    .describe('Key that signs calls between nodes, at least 16 bytes; required with more than one node.'),
  tls: z
    .strictObject({
      cert: z.string().describe('Path of the certificate shown to browsers and programs, with its chain.'),
      key: z.string().describe('Path of its key.'),
    })
    .optional()
    .describe('PEM files; the API speaks HTTPS when given.'),
  trustedProxies: z
    .array(z.string().min(1))
    .default([])
    .describe(
      "Addresses or networks (10.0.0.0/8) of proxies in front of the API, whose X-Forwarded-For, -Proto and -Host headers are believed. Nobody else's are.",
    ),
  dataDir: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Folder for what this node keeps itself: the history of lag and throughput, and with embedded coordination accounts and audit. holt-data/<node> beside the configuration if absent.',
    ),
  stages: z
    .array(z.enum(['select', 'extract', 'transform', 'load']))
    .min(1)
    .default(['select', 'extract', 'transform', 'load'])
    .describe('Stages this node takes part in.'),
  memory: size.prefault('256MiB').describe('Memory for batches and rings, all pipelines together.'),
  log: z
    .strictObject({
      level: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
        .describe('Least level that is written; debug has a line for each batch.'),
      pretty: z.boolean().default(false).describe('Lines for people in place of JSON.'),
    })
    .prefault({})
    .describe('Logging.'),
  drainTimeout: duration.prefault('20s').describe('How long a stopping node may finish what it holds.'),
});

const clockTime = z
  .string()
  .regex(
    /^(?:[01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$/,
    'a time of day such as 08:30; 24:00 is the end of the day',
  );
const severity = z.enum(ALARM_SEVERITIES);
/** A pattern on names of pipelines, nodes and clocks. */
const subjectPattern = z.string().regex(/^[A-Za-z0-9_.*? -]{1,100}$/, 'a name, or a pattern with * and ?');

export const alarmRuleSpec = z.strictObject({
  when: z
    .enum(ALARM_KINDS)
    .describe(
      'What it looks for. lag: age of the oldest change that is not at the target. stuck: nothing moves though something is there to move; the alarm names the stage. error: the pipeline has failed or is hindered, with a code. position: reading stands still. heartbeat: none from the source. node: one does not answer, or has gone without leaving. clock: two are apart. conflicts and dead-letters: entries of the ledger. binlog: time until the source purges what is not read. paused: for how long.',
    ),
  above: z
    .union([
      duration,
      z
        .number()
        .int()
        .min(1)
        .max(1_000_000_000)
        .transform((count) => ({ count })),
    ])
    .optional()
    .describe(
      'From where on it counts: a duration, or for conflicts and dead-letters a number of changes. The kind has a default; error takes none, binlog takes below.',
    ),
  below: duration.optional().describe('binlog: so little time, or half of what the source keeps, is left.'),
  within: duration.optional().describe('conflicts, dead-letters: counted over so long; 10 min if absent.'),
  for: duration
    .optional()
    .describe('How long it must hold before it is told. It is shown as pending before.'),
  clearFor: duration
    .optional()
    .describe(
      'How long it must be over before that is told; longer by itself for what comes and goes. 30 s if absent.',
    ),
  severity: severity.optional().describe('How bad it is. The kind has a default.'),
  only: z
    .array(subjectPattern)
    .min(1)
    .default(['*'])
    .describe(
      'Pipelines it is about, as patterns; for node and clock the nodes and clocks (database east-db).',
    ),
  except: z.array(subjectPattern).default([]).describe('Of those, not these.'),
  during: z
    .array(
      z.strictObject({
        days: z
          .array(z.enum(WEEKDAYS))
          .min(1)
          .default([...WEEKDAYS])
          .describe('Days on which it begins; all if absent.'),
        from: clockTime.default('00:00').describe('From this time of day on.'),
        to: clockTime.default('24:00').describe('Until then; before from: of the next day.'),
      }),
    )
    .default([])
    .describe(
      'Times of day at which the rule raises alarms; always if absent. What stands already goes on until it is over.',
    ),
  channels: z
    .array(name)
    .optional()
    .describe('Channels it is told on; all if absent. An empty list shows it only.'),
  repeat: z
    .union([z.literal('never'), duration])
    .optional()
    .describe(
      'Told again after so long while nobody acknowledges it, or never. 4 h if absent, a day for what is not critical.',
    ),
});

export const alarmChannelSpec = z.strictObject({
  kind: z.enum(CHANNEL_KINDS).describe('webhook: JSON, signed. The others are what people read.'),
  url: secret
    .optional()
    .describe(
      'Address, by reference since those of chats are secrets: https, or http to loopback. Redirects are not followed. Not for mail.',
    ),
  secret: secret
    .optional()
    .describe('webhook: key of the signature (HMAC-SHA-256) in the header holt-signature.'),
  severity: severity.default('info').describe('Least severity that is sent there.'),
  host: z.string().min(1).optional().describe('mail: SMTP server.'),
  port: port.optional().describe('mail: its port; 465 with tls, else 587.'),
  tls: z
    .enum(['tls', 'starttls', 'none'])
    .default('starttls')
    .describe('mail: from the first byte, by STARTTLS (refused without), or none, to loopback only.'),
  user: z.string().min(1).optional().describe('mail: account at the server.'),
  password: secret.optional().describe('mail: its password.'),
  from: z.email().optional().describe('mail: sender.'),
  to: z.array(z.email()).min(1).max(50).optional().describe('mail: receivers.'),
});
export type AlarmRuleSpec = z.infer<typeof alarmRuleSpec>;
export type AlarmChannelSpec = z.infer<typeof alarmChannelSpec>;

const alarmsSpec = z
  .strictObject({
    enabled: z.boolean().default(true).describe('false: nothing is looked at, and nothing told.'),
    every: duration
      .refine((ms) => ms >= 100 && ms <= 60_000, 'between 100ms and 60s')
      .prefault('500ms')
      .describe('Pause between two looks; longer by itself where a look takes long.'),
    timezone: z
      .string()
      .refine(isTimeZone, 'a time zone such as Europe/Berlin')
      .default('UTC')
      .describe('Where the times of day in rules are meant.'),
    defaults: z
      .boolean()
      .default(true)
      .describe(
        'Rules for everything, one of each kind that no rule of yours has; docs/alarms.md lists them.',
      ),
    rules: z.record(name, alarmRuleSpec).default({}).describe('What is told, to whom.'),
    channels: z.record(name, alarmChannelSpec).default({}).describe('Where it is told.'),
    historyDays: z
      .number()
      .int()
      .min(1)
      .max(3650)
      .default(30)
      .describe('Days for which what was told is kept.'),
    link: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('Address of the console, for links in messages.'),
  })
  .prefault({})
  .describe('Alarms: rules, and where they are told. Without any they are shown by API, CLI and page.');

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

export const installationSpec = z.strictObject({
  cluster: name.default('holt').describe('Name of the installation; part of every checkpoint.'),
  coordination: z
    .strictObject({
      kind: z
        .enum(['zookeeper', 'embedded'])
        .describe('zookeeper: an ensemble; embedded: this process alone, for one machine and for trials.'),
      servers: z
        .string()
        .min(1)
        .default('127.0.0.1:2181')
        .describe('Members of the ensemble: host:port,host:port/chroot.'),
      sessionTimeout: duration
        .prefault('10s')
        .describe('ZooKeeper session; a dead node is noticed after this.'),
      tls: tls.optional(),
      auth: secret
        .optional()
        .describe('Digest credentials user:password by reference; every znode is then closed to others.'),
    })
    .prefault({ kind: 'zookeeper' })
    .describe('Who decides who works: a ZooKeeper ensemble, or one process by itself.'),
  api: z
    .strictObject({
      auth: z
        .enum(['on', 'off'])
        .default('on')
        .describe(
          'on: nobody sees or does anything without an account or a token. off: whoever reaches the API is administrator; it is then served on loopback only.',
        ),
      token: secret
        .optional()
        .describe(
          'A token with the role admin, by reference, for automation: at least 24 characters. Other accounts and tokens are made through the API.',
        ),
      metrics: z
        .enum(['open', 'token'])
        .default('open')
        .describe('Whether /metrics is read by everybody or only with an account or token.'),
      session: duration.prefault('12h').describe('How long a login lasts.'),
      auditDays: z
        .number()
        .int()
        .min(1)
        .max(3650)
        .default(90)
        .describe('Days for which the audit log is kept.'),
      historyDays: z
        .number()
        .int()
        .min(1)
        .max(3650)
        .default(30)
        .describe('Days for which nodes keep the history of lag, throughput and state.'),
      historySize: size
        .prefault('256MiB')
        .describe("Most that a node's history takes on its disk; the oldest goes first."),
    })
    .prefault({})
    .describe('HTTP API: who may use it, and what is kept.'),
  alarms: alarmsSpec,
  tracing: z
    .strictObject({
      endpoint: z
        .url({ protocol: /^https?$/ })
        .describe('Where spans go by OTLP over HTTP, such as http://collector.example:4318/v1/traces.'),
      authorization: secret.optional().describe('Value of the Authorization header, by reference.'),
      ratio: z.number().min(0).max(1).default(1).describe('Share of batches, from 0 to 1.'),
    })
    .optional()
    .describe('OpenTelemetry: a span for each batch and each of its stages. None without this block.'),
  sites: z
    .record(
      name,
      z.strictObject({
        redis: secret.optional().describe("URL of the site's Redis by reference, e.g. ${env:EAST_REDIS}."),
      }),
    )
    .default({})
    .describe('Data centres. A site that a data source or node names need not be listed.'),
});

export const allInOneSpec = installationSpec.extend({
  dataSources: z.record(name, dataSourceSpec).default({}).describe('MySQL and MariaDB endpoints.'),
  channels: z.record(name, channelSpec).default({}).describe('Channels with their pipelines.'),
  nodes: z.record(name, nodeSpec).default({}).describe('Nodes; each picks its own by name.'),
});

const metadata = z.strictObject({ name });

/** The kinds of documents; `Holt` may hold everything, the others one thing each. */
export const DOCUMENT_KINDS = {
  Holt: allInOneSpec,
  Installation: installationSpec,
  DataSource: dataSourceSpec,
  Channel: channelSpec,
  Node: nodeSpec,
} as const;
export type DocumentKind = keyof typeof DOCUMENT_KINDS;

function envelope<K extends DocumentKind>(kind: K) {
  return z.strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal(kind),
    metadata,
    spec: DOCUMENT_KINDS[kind],
  });
}

export const document = z.discriminatedUnion('kind', [
  envelope('Holt'),
  envelope('Installation'),
  envelope('DataSource'),
  envelope('Channel'),
  envelope('Node'),
]);
export type ConfigDocument = z.infer<typeof document>;
export type DataSourceSpec = z.infer<typeof dataSourceSpec>;
export type ChannelSpec = z.infer<typeof channelSpec>;
export type PipelineSpec = z.infer<typeof pipelineSpec>;
export type NodeSpec = z.infer<typeof nodeSpec>;
export type InstallationSpec = z.infer<typeof installationSpec>;

/** JSON Schema (2020-12) of one document: what `holt config schema` prints. */
export function configJsonSchema(): unknown {
  return {
    title: 'Holt configuration',
    ...(z.toJSONSchema(document, { io: 'input', unrepresentable: 'any' }) as object),
  };
}
