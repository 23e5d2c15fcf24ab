/** What went wrong, as the API tells it: a code that stays, what happened, and what to do. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly code: string;
  readonly remedy: string | null;

  constructor(given: {
    readonly status: number;
    readonly code: string;
    readonly detail: string;
    readonly remedy?: string | null | undefined;
  }) {
    super(given.detail);
    this.status = given.status;
    this.code = given.code;
    this.remedy = given.remedy ?? null;
  }

  /** Nobody is logged in any more. */
  get isLogin(): boolean {
    return this.code === 'HOLT_UNAUTHENTICATED' || this.code === 'HOLT_CSRF';
  }
}

/** Whatever was thrown, as a problem. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem({
    status: 0,
    code: 'HOLT_SERVER_UNREACHABLE',
    detail: error instanceof Error ? error.message : String(error),
    remedy: 'Is the node still running? The console goes on by itself as soon as it answers.',
  });
}
