/** What went wrong, with its code and what to do. */
import type { ComponentChildren } from 'preact';
import type { Problem } from '../api/problem.ts';
import { Icon } from './icon.tsx';

interface NoticeProps {
  readonly tone?: 'bad' | 'warn' | 'calm';
  readonly title: ComponentChildren;
  readonly code?: string | null;
  readonly children?: ComponentChildren;
  readonly remedy?: string | null;
  readonly actions?: ComponentChildren;
}

export function Notice({ tone = 'warn', title, code, remedy, actions, children }: NoticeProps) {
  return (
    <div class={`notice tone-${tone}`} role={tone === 'bad' ? 'alert' : undefined}>
      <Icon name="warning" />
      <div class="notice-body">
        <p class="notice-title">
          {title}
          {code != null && <code class="code">{code}</code>}
        </p>
        {children !== undefined && <div>{children}</div>}
        {remedy != null && (
          <p class="remedy">
            <strong>What to do:</strong> {remedy}
          </p>
        )}
        {actions !== undefined && <p class="notice-actions">{actions}</p>}
      </div>
    </div>
  );
}

export function ProblemNotice({
  problem,
  again,
}: {
  readonly problem: Problem;
  readonly again?: () => void;
}) {
  return (
    <Notice
      tone="bad"
      title={problem.message}
      code={problem.code}
      remedy={problem.remedy}
      actions={
        again && (
          <button type="button" class="button" onClick={again}>
            Try again
          </button>
        )
      }
    />
  );
}

/** Nothing is there, and why that may be. */
export function Empty({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children !== undefined && <p>{children}</p>}
    </div>
  );
}

export function Loading({ what }: { readonly what: string }) {
  return (
    <div class="loading" role="status">
      <span class="visually-hidden">Loading {what}</span>
      <span class="bone" />
      <span class="bone" />
      <span class="bone" />
    </div>
  );
}
