/** What every page has: a title that is read out when one comes there, the way to it, and what can be done. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Link } from '../router/router.tsx';

export interface Crumb {
  readonly to: string;
  readonly text: string;
}

interface PageProps {
  readonly title: string;
  /** In place of the title's plain text. */
  readonly heading?: ComponentChildren;
  readonly crumbs?: readonly Crumb[];
  readonly about?: ComponentChildren;
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}

let isFirst = true;

export function Page({ title, heading, crumbs = [], about, actions, children }: PageProps) {
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Holt`;
    // Whoever came by a link goes on reading here; whoever opened the page begins where the browser does.
    if (!isFirst) head.current?.focus({ preventScroll: true });
    isFirst = false;
    scrollTo(0, 0);
  }, [title]);
  return (
    <div class="page">
      <header class="page-head">
        <div class="page-title">
          {crumbs.length > 0 && (
            <nav class="crumbs" aria-label="Breadcrumb">
              {crumbs.map(({ to, text }) => (
                <Link key={to} to={to}>
                  {text}
                </Link>
              ))}
            </nav>
          )}
          <h1 ref={head} tabIndex={-1}>
            {heading ?? title}
          </h1>
          {about !== undefined && <p class="about">{about}</p>}
        </div>
        {actions !== undefined && <div class="actions">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

interface SectionProps {
  readonly title: string;
  readonly aside?: ComponentChildren;
  readonly class?: string;
  readonly children: ComponentChildren;
}

export function Section({ title, aside, class: name, children }: SectionProps) {
  return (
    <section class={`section ${name ?? ''}`} aria-label={title}>
      <header class="section-head">
        <h2>{title}</h2>
        {aside !== undefined && <div class="aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

/** Names and what they are: a definition list. */
export function Facts({
  facts,
}: {
  readonly facts: readonly (readonly [ComponentChildren, ComponentChildren])[];
}) {
  return (
    <dl class="facts">
      {facts.map(([name, value], index) => (
        <div key={index}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
