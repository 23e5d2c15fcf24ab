import { HoltError } from '../lib/errors.ts';

/** One thing wrong with the configuration, at its place. Lines and columns count from 1. */
export interface ConfigProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Path of keys, such as `spec.pipelines.shop.source`. */
  readonly path: string;
  readonly message: string;
  readonly suggestion: string | null;
  /** The line itself, with secrets' references only. */
  readonly excerpt: string | null;
}

export function formatProblem(problem: ConfigProblem): string {
  const place = `${problem.file}:${problem.line}:${problem.column}`;
  const hint = problem.suggestion === null ? '' : ` Did you mean ${JSON.stringify(problem.suggestion)}?`;
  const head = `${place}: ${problem.path === '' ? '' : `${problem.path}: `}${problem.message}${hint}`;
  if (problem.excerpt === null) return head;
  return `${head}\n    ${problem.excerpt}\n    ${' '.repeat(Math.max(0, problem.column - 1))}^`;
}

/** All problems at once. */
export class ConfigError extends HoltError {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const count = `${problems.length} problem${problems.length === 1 ? '' : 's'}`;
    super(
      'HOLT_CONFIG_INVALID',
      `the configuration has ${count}:\n${problems.map(formatProblem).join('\n')}`,
      {
        disposition: 'fatal',
        remedy: 'Correct the places named and run `holt config check` again.',
      },
    );
    this.problems = problems;
  }
}
