import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type ConnectionOptions, checkServerIdentity } from 'node:tls';
import { HoltError, messageOf } from '../../lib/errors.ts';
import type { TlsConfig } from '../../model/config.ts';

/**
 * What node:tls is told for each mode.
 *
 * | mode            | link encrypted | issuer checked | name checked |
 * |-----------------|----------------|----------------|--------------|
 * | disabled        | no             | –              | –            |
 * | required        | yes            | no             | no           |
 * | verify-ca       | yes            | yes            | no           |
 * | verify-identity | yes            | yes            | yes          |
 *
 * @returns null for `disabled`
 * @throws HOLT_SOURCE_TLS when a file named in the configuration cannot be read
 */
export function tlsOptions(tls: TlsConfig, host: string): ConnectionOptions | null {
  if (tls.mode === 'disabled') return null;
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: tls.mode !== 'required',
    // A name goes into the TLS hello; an address must not.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    checkServerIdentity: (_name, certificate) =>
      tls.mode === 'verify-identity' ? checkServerIdentity(host, certificate) : undefined,
    ...(tls.ca === null ? {} : { ca: pem(tls.ca, 'tls.ca') }),
    ...(tls.cert === null ? {} : { cert: pem(tls.cert, 'tls.cert') }),
    ...(tls.key === null ? {} : { key: pem(tls.key, 'tls.key') }),
  };
}

/** The text itself if it is PEM, else what the file of that name holds. */
function pem(pathOrText: string, key: string): string {
  if (pathOrText.includes('-----BEGIN ')) return pathOrText;
  try {
    return readFileSync(pathOrText, 'utf8');
  } catch (cause) {
    throw new HoltError('HOLT_SOURCE_TLS', `${key}: ${messageOf(cause)}`, { disposition: 'retry', cause });
  }
}
