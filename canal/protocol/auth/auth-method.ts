/**
 * The contract of the ways to log in.
 *
 *     server: nonce, plugin name ─► client: `first` ─► server: OK | ERR | auth switch (another plugin, nonce) | more data
 *     more data ─► client: `more` (null: nothing to send, wait) ─► …
 *
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_authentication_methods.html.
 */
import { HoltError } from '../../../lib/errors.ts';

export interface AuthContext {
  readonly password: string;
  readonly nonce: Buffer;
  /** TLS is on (whether or not the certificate was checked): the password may go over the link as it is. */
  readonly linkIsPrivate: boolean;
  /** The server's RSA public key, as PEM, known beforehand; null where it is not. */
  readonly serverPublicKey: string | null;
  /** The key may be asked for over the link itself: right only where nobody can stand between, as on loopback. */
  readonly mayFetchPublicKey: boolean;
}

/** One attempt with one plugin. */
export interface AuthMethod {
  first(): Buffer;
  more(data: Buffer): Buffer | null;
}

export function authMethodError(message: string): HoltError {
  return new HoltError('HOLT_SOURCE_AUTH_METHOD', message, { disposition: 'retry' });
}
