import { createHash } from 'node:crypto';
import { protocolError } from '../protocol.ts';
import { type AuthContext, type AuthMethod, authMethodError } from './auth-method.ts';
import { encryptPassword } from './rsa-password.ts';

const REQUEST_PUBLIC_KEY = 2;
const FAST_OK = 3;
const FULL_LOGIN = 4;

/**
 * caching_sha2_password.
 *
 *     first          := sha256(password) xor sha256(sha256(sha256(password)) + nonce)
 *     server's data  := 03                      the server had it in its cache: OK follows
 *                     | 04                      it has not: send the password
 *                     | PEM                     the public key, asked for with 02
 *     the password   := password NUL            over TLS
 *                     | RSA-OAEP( password NUL xor nonce, repeated )
 *
 * The key that came over a clear link could be anybody's, who would then read the password: it must be known beforehand
 * or the link be local.
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html.
 */
export class CachingSha2Password implements AuthMethod {
  readonly #context: AuthContext;
  #keyWanted = false;

  constructor(context: AuthContext) {
    this.#context = context;
  }

  first(): Buffer {
    const { password, nonce } = this.#context;
    if (password === '') return Buffer.alloc(0);
    const once = sha256(Buffer.from(password, 'utf8'));
    const mask = sha256(Buffer.concat([sha256(once), nonce.subarray(0, 20)]));
    return Buffer.from(once.map((byte, index) => byte ^ (mask[index] ?? 0)));
  }

  more(data: Buffer): Buffer | null {
    const { password, nonce, linkIsPrivate, serverPublicKey, mayFetchPublicKey } = this.#context;
    if (this.#keyWanted) {
      this.#keyWanted = false;
      return encryptPassword(password, nonce, data.toString('latin1'));
    }
    if (data.length === 1 && data[0] === FAST_OK) return null;
    if (data.length !== 1 || data[0] !== FULL_LOGIN)
      throw protocolError('caching_sha2_password: the server answers with something unknown');
    if (linkIsPrivate) return Buffer.from(`${password}\0`, 'utf8');
    if (serverPublicKey !== null) return encryptPassword(password, nonce, serverPublicKey);
    if (!mayFetchPublicKey)
      throw authMethodError(
        'caching_sha2_password wants the password, the link has no TLS, and a key fetched over it could be an impostor’s',
      );
    this.#keyWanted = true;
    return Buffer.from([REQUEST_PUBLIC_KEY]);
  }
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
