/**
 * Every page of the console: where it is, who may see it, and where it stands in the menu. A page that is not built has no line here,
 * and no menu entry.
 */
import type { FunctionComponent } from 'preact';
import type { Role } from '../node/access/role.ts';
import type { IconName } from './components/icon.tsx';
import { PipelinesPage } from './pages/pipelines.tsx';

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
    page: PipelinesPage,
    role: 'viewer',
    menu: { title: 'Pipelines', icon: 'pipelines', group: 'Replication' },
  },
];
