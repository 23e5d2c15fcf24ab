/** The address bar as state: pages read it, links change it, and going back works as everywhere. */
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { withQuery } from './route.ts';

export interface Place {
  readonly path: string;
  /** With its `?`, or empty. */
  readonly query: string;
}

const here = (): Place => ({ path: location.pathname, query: location.search });
const listeners = new Set<() => void>();

function tell(): void {
  for (const listener of listeners) listener();
}

addEventListener('popstate', tell);

/** `replace` keeps one entry in the history where a filter is being typed. */
export function navigate(to: string, options: { readonly replace?: boolean } = {}): void {
  if (options.replace === true) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  tell();
}

export function usePlace(): Place {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    const look = () =>
      setPlace((before) => {
        const now = here();
        return now.path === before.path && now.query === before.query ? before : now;
      });
    listeners.add(look);
    look();
    return () => {
      listeners.delete(look);
    };
  }, []);
  return place;
}

/** One word of the query: its value, and how to set it. The default stands for a word that is not there. */
export function useQueryWord(name: string, fallback = ''): readonly [string, (value: string) => void] {
  const { query } = usePlace();
  const value = useMemo(() => new URLSearchParams(query).get(name) ?? fallback, [query, name, fallback]);
  return [
    value,
    (next) =>
      navigate(
        `${location.pathname}${withQuery(location.search, { [name]: next === fallback ? null : next })}`,
        {
          replace: true,
        },
      ),
  ];
}

interface LinkProps {
  readonly to: string;
  readonly class?: string;
  readonly title?: string;
  readonly current?: boolean;
  readonly label?: string;
  readonly children: ComponentChildren;
}

/** A link that stays within the page; opened in another tab it is an ordinary one. */
export function Link({ to, class: className, title, current, label, children }: LinkProps) {
  return (
    <a
      href={to}
      class={className}
      title={title}
      aria-label={label}
      aria-current={current === true ? 'page' : undefined}
      onClick={(event) => {
        if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        navigate(to);
      }}
    >
      {children}
    </a>
  );
}
