/** Errors that a random statement may well meet: duplicates and foreign keys. */
export function errnoIsExpected(error: unknown): boolean {
  const { errno } = error as { errno?: unknown };
  return (
    errno === 1062 || errno === 1451 || errno === 1452 || errno === 1264 || errno === 1761 || errno === 1762
  );
}
