/** What must not be read in an audit entry or a support bundle, by the names of fields. */
export const SECRET_FIELD = /passw|secret|token|authorization|cookie|credential|clusterkey|^(?:old|new)$/i;

/** JSON with the values of secret fields replaced; cut where it is long. */
export function maskedJson(value: unknown): string {
  const text = JSON.stringify(value, (key, inner: unknown) =>
    SECRET_FIELD.test(key) && inner !== null && inner !== undefined ? '(masked)' : inner,
  );
  return (text ?? 'null').slice(0, 4000);
}
