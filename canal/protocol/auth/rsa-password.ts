import { constants, publicEncrypt } from 'node:crypto';
import { authMethodError } from './auth-method.ts';

/**
 * What both SHA-256 plugins send over a link without TLS: `RSA-OAEP( (password NUL) xor nonce, repeated )`.
 * @param pem the server's public key
 * @throws HOLT_SOURCE_AUTH_METHOD when that is no key
 */
export function encryptPassword(password: string, nonce: Buffer, pem: string): Buffer {
  const clear = Buffer.from(`${password}\0`, 'utf8');
  const masked = clear.map((byte, index) => byte ^ (nonce[index % 20] ?? 0));
  try {
    return publicEncrypt({ key: pem, padding: constants.RSA_PKCS1_OAEP_PADDING }, masked);
  } catch (cause) {
    throw authMethodError(`the server's public key is unusable: ${String(cause)}`);
  }
}
