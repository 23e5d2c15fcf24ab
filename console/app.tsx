/** The frame around every page: who is logged in decides what is shown, the address which page. */
import { useEffect, useState } from 'preact/hooks';
import { Icon } from './components/icon.tsx';
import { Page } from './components/page.tsx';
import { Empty, Notice, ProblemNotice } from './components/problem.tsx';
import { timeText } from './components/time.tsx';
import { Toasts } from './components/toast.tsx';
import { live } from './live/live.ts';
import { useNow } from './live/resource.ts';
import { useStore } from './live/store.ts';
import { MENU_GROUPS, PAGES, type PageEntry } from './pages.ts';
import { matchPath } from './router/route.ts';
import { Link, usePlace } from './router/router.tsx';
import { LoginPage, SetupPage } from './session/login.tsx';
import { askSession, logout, session, useMay } from './session/session.ts';
import { ThemeSwitch } from './theme.tsx';

export function App() {
  const now = useStore(session);
  switch (now.kind) {
    case 'asking':
      return <div class="blank" aria-busy="true" />;
    case 'setup':
      return <SetupPage />;
    case 'out':
      return <LoginPage why={now.why} />;
    case 'unreachable':
      return (
        <main class="alone">
          <ProblemNotice problem={now.problem} again={() => void askSession()} />
        </main>
      );
    case 'in':
      return <Frame name={now.view.name} role={now.view.role} kind={now.view.kind} release={now.release} />;
    default:
      return now satisfies never;
  }
}

interface FrameProps {
  readonly name: string;
  readonly role: string;
  readonly kind: string;
  readonly release: string | null;
}

function Frame({ name, role, kind, release }: FrameProps) {
  const { path } = usePlace();
  const [isOpen, setOpen] = useState(false);
  useEffect(() => setOpen(false), [path]);
  return (
    <div class="frame">
      <a class="skip" href="#main">
        Skip to content
      </a>
      <aside class={`side${isOpen ? ' is-open' : ''}`}>
        <div class="side-inner">
          <div class="brand">
            <Link to="/" class="brand-link">
              <img src="/mark.svg" alt="" width="24" height="24" />
              <span>Holt</span>
            </Link>
            <button
              type="button"
              class="icon-button menu-button"
              aria-expanded={isOpen}
              aria-controls="menu"
              aria-label="Menu"
              onClick={() => setOpen(!isOpen)}
            >
              <Icon name={isOpen ? 'close' : 'menu'} />
            </button>
          </div>
          <div class="side-body" id="menu">
            <Menu path={path} />
            <div class="side-foot">
              <LiveBadge />
              <ThemeSwitch />
              <div class="who">
                <span>
                  <strong>{name}</strong>
                  <span class="hint">{role}</span>
                </span>
                {kind === 'user' && (
                  <button
                    type="button"
                    class="icon-button"
                    aria-label="Log out"
                    title="Log out"
                    onClick={() => void logout()}
                  >
                    <Icon name="logout" />
                  </button>
                )}
              </div>
              {release !== null && <span class="release">Holt {release}</span>}
            </div>
          </div>
        </div>
      </aside>
      <main id="main" tabIndex={-1}>
        <Trouble />
        <Shown path={path} />
      </main>
      <Toasts />
    </div>
  );
}

function Menu({ path }: { readonly path: string }) {
  return (
    <nav class="menu" aria-label="Pages">
      {MENU_GROUPS.map((group) => (
        <MenuGroup
          key={group}
          title={group}
          path={path}
          entries={PAGES.filter(({ menu }) => menu?.group === group)}
        />
      ))}
    </nav>
  );
}

function MenuGroup({
  title,
  path,
  entries,
}: {
  readonly title: string;
  readonly path: string;
  readonly entries: readonly PageEntry[];
}) {
  const isOperator = useMay('operator');
  const isAdmin = useMay('admin');
  const seen = entries.filter(
    ({ role }) => role === 'viewer' || isAdmin || (role === 'operator' && isOperator),
  );
  if (seen.length === 0) return null;
  return (
    <div class="menu-group">
      <h2>{title}</h2>
      <ul>
        {seen.map(({ pattern, menu }) => {
          const isCurrent =
            pattern === '/' ? path === '/' : path === pattern || path.startsWith(`${pattern}/`);
          return (
            <li key={pattern}>
              <Link to={pattern} class="menu-link" current={isCurrent}>
                {menu !== undefined && <Icon name={menu.icon} />}
                {menu?.title}
              </Link>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function Shown({ path }: { readonly path: string }) {
  for (const entry of PAGES) {
    const matched = matchPath(entry.pattern, path);
    if (matched !== null) return <Allowed key={entry.pattern} entry={entry} params={matched.params} />;
  }
  return (
    <Page title="No such page">
      <Empty title="There is no page here">
        <Link to="/">Go to the overview</Link>
      </Empty>
    </Page>
  );
}

function Allowed({
  entry,
  params,
}: {
  readonly entry: PageEntry;
  readonly params: Readonly<Record<string, string>>;
}) {
  const may = useMay(entry.role);
  if (!may)
    return (
      <Page title={entry.menu?.title ?? 'Not for you'}>
        <Notice
          title={`This page is for the role ${entry.role}.`}
          code="HOLT_FORBIDDEN"
          remedy="Ask an administrator for it."
        />
      </Page>
    );
  // A page for another object is another page.
  return <entry.page key={JSON.stringify(params)} params={params} />;
}

/** Older than this it is no longer called live. */
const STALE_MS = 20_000;

function LiveBadge() {
  const { state, asOfMs } = useStore(live);
  const now = useNow(1_000);
  const isOld = asOfMs !== null && now - asOfMs > STALE_MS;
  const word =
    state === 'connecting'
      ? 'Connecting'
      : state === 'lost'
        ? 'Reconnecting'
        : state === 'unreachable' || isOld
          ? 'Not current'
          : 'Live';
  const tone = word === 'Live' ? 'good' : word === 'Connecting' ? 'none' : 'warn';
  return (
    <p class={`live tone-${tone}`} role="status" data-state={word}>
      <span class="live-dot" aria-hidden="true" />
      <span>
        <strong>{word}</strong>
        <span class="hint" aria-live="off">
          {asOfMs === null ? 'no data yet' : `data as of ${timeText(asOfMs)}`}
        </span>
      </span>
    </p>
  );
}

function Trouble() {
  const state = useStore(live, (now) => now.state);
  const trouble = useStore(live, (now) => now.trouble);
  const asOfMs = useStore(live, (now) => (now.state === 'live' ? null : now.asOfMs));
  if (state === 'live' || state === 'connecting') return null;
  return (
    <Notice
      title={
        state === 'lost'
          ? 'The connection to the node is lost; trying again.'
          : 'The node cannot look at the installation.'
      }
      remedy={
        state === 'lost'
          ? 'Is the node still running? The page goes on by itself as soon as it answers; any other node shows the same.'
          : 'Look whether ZooKeeper answers; the page goes on by itself.'
      }
    >
      {trouble !== null && <p>{trouble}</p>}
      {asOfMs !== null && <p>What is below was so at {timeText(asOfMs)}, and may have changed.</p>}
    </Notice>
  );
}
