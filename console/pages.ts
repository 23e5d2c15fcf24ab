/**
 * Every page of the console: where it is, who may see it, and where it stands in the menu. A page that is not built has no line here,
 * and no menu entry.
 */
import type { FunctionComponent } from 'preact';
import type { Role } from '../node/access/role.ts';
import type { IconName } from './components/icon.tsx';
import { AboutPage } from './pages/about.tsx';
import { AccountPage } from './pages/account.tsx';
import { AccountsPage } from './pages/accounts.tsx';
import { AlarmsPage } from './pages/alarms.tsx';
import { AuditPage } from './pages/audit.tsx';
import { BatchPage } from './pages/batch.tsx';
import { CheckPage } from './pages/check.tsx';
import { ChecksPage } from './pages/checks.tsx';
import { ConfigPage } from './pages/config.tsx';
import { CoordinationPage } from './pages/coordination.tsx';
import { DdlPage } from './pages/ddl.tsx';
import { DdlStatementPage } from './pages/ddl-statement.tsx';
import { LedgerPage } from './pages/ledger.tsx';
import { LedgerEntryPage } from './pages/ledger-entry.tsx';
import { NodesPage } from './pages/nodes.tsx';
import { OverviewPage } from './pages/overview.tsx';
import { PipelinePage } from './pages/pipeline.tsx';
import { PipelinesPage } from './pages/pipelines.tsx';
import { TracePage } from './pages/trace.tsx';

export interface PageProps {
  readonly params: Readonly<Record<string, string>>;
}

export interface PageEntry {
  /** Path, with parts as `:name`. The first that fits counts. */
  readonly pattern: string;
  readonly page: FunctionComponent<PageProps>;
  /** Others are told that they may not see it, and have no menu entry. */
  readonly role: Role;
  /** Absent: reached from other pages. */
  readonly menu?: { readonly title: string; readonly icon: IconName; readonly group: MenuGroup };
}

export const MENU_GROUPS = ['Replication', 'Installation', 'Administration'] as const;
export type MenuGroup = (typeof MENU_GROUPS)[number];

export const PAGES: readonly PageEntry[] = [
  {
    pattern: '/',
    page: OverviewPage,
    role: 'viewer',
    menu: { title: 'Overview', icon: 'overview', group: 'Replication' },
  },
  {
    pattern: '/pipelines',
    page: PipelinesPage,
    role: 'viewer',
    menu: { title: 'Pipelines', icon: 'pipelines', group: 'Replication' },
  },
  { pattern: '/pipelines/:name', page: PipelinePage, role: 'viewer' },
  { pattern: '/pipelines/:name/batches/:id', page: BatchPage, role: 'viewer' },
  {
    pattern: '/alarms',
    page: AlarmsPage,
    role: 'viewer',
    menu: { title: 'Alarms', icon: 'bell', group: 'Replication' },
  },
  {
    pattern: '/trace',
    page: TracePage,
    role: 'operator',
    menu: { title: 'Trace', icon: 'search', group: 'Replication' },
  },
  {
    pattern: '/ledger',
    page: LedgerPage,
    role: 'viewer',
    menu: { title: 'Conflicts', icon: 'split', group: 'Replication' },
  },
  { pattern: '/ledger/:name/:id', page: LedgerEntryPage, role: 'operator' },
  {
    pattern: '/ddl',
    page: DdlPage,
    role: 'viewer',
    menu: { title: 'Schema changes', icon: 'list', group: 'Replication' },
  },
  { pattern: '/ddl/:name/:id', page: DdlStatementPage, role: 'viewer' },
  {
    pattern: '/checks',
    page: ChecksPage,
    role: 'viewer',
    menu: { title: 'Comparisons', icon: 'scale', group: 'Replication' },
  },
  { pattern: '/checks/:name/:id', page: CheckPage, role: 'viewer' },
  {
    pattern: '/nodes',
    page: NodesPage,
    role: 'viewer',
    menu: { title: 'Nodes and sites', icon: 'nodes', group: 'Installation' },
  },
  {
    pattern: '/config',
    page: ConfigPage,
    role: 'viewer',
    menu: { title: 'Configuration', icon: 'file', group: 'Installation' },
  },
  {
    pattern: '/coordination',
    page: CoordinationPage,
    role: 'admin',
    menu: { title: 'Coordination', icon: 'tree', group: 'Installation' },
  },
  {
    pattern: '/about',
    page: AboutPage,
    role: 'viewer',
    menu: { title: 'About and support', icon: 'info', group: 'Installation' },
  },
  {
    pattern: '/accounts',
    page: AccountsPage,
    role: 'admin',
    menu: { title: 'Accounts and tokens', icon: 'people', group: 'Administration' },
  },
  {
    pattern: '/audit',
    page: AuditPage,
    role: 'admin',
    menu: { title: 'Audit log', icon: 'clock', group: 'Administration' },
  },
  {
    pattern: '/account',
    page: AccountPage,
    role: 'viewer',
    menu: { title: 'Your account', icon: 'key', group: 'Administration' },
  },
];
