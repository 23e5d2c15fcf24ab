import { createPrivateKey, generateKeyPairSync, privateDecrypt, randomBytes, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { AuthContext } from '../../../../../canal/protocol/auth/auth-method.ts';
import { authMethod } from '../../../../../canal/protocol/auth/auth-methods.ts';
import { signEd25519 } from '../../../../../canal/protocol/auth/ed25519-password.ts';

const context = (over: Partial<AuthContext>): AuthContext => ({
  password: 'secret',
  nonce: Buffer.alloc(20, 7),
  linkIsPrivate: false,
  serverPublicKey: null,
  mayFetchPublicKey: false,
  ...over,
});

describe('mysql_native_password', () => {
  // As published in the tests of go-sql-driver/mysql (auth_test.go).
  it('answers as other clients do', () => {
    const nonce = Buffer.from([
      70, 114, 92, 94, 1, 38, 11, 116, 63, 114, 23, 101, 126, 103, 26, 95, 81, 17, 24, 21,
    ]);
    expect([...authMethod('mysql_native_password', context({ nonce })).first()]).toEqual([
      53, 177, 140, 159, 251, 189, 127, 53, 109, 252, 172, 50, 211, 192, 240, 164, 26, 48, 207, 45,
    ]);
  });

  it('sends nothing for an empty password', () => {
    expect(authMethod('mysql_native_password', context({ password: '' })).first().length).toBe(0);
  });
});

describe('caching_sha2_password', () => {
  const nonce = Buffer.from([10, 47, 74, 111, 75, 73, 34, 48, 88, 76, 114, 74, 37, 13, 3, 80, 82, 2, 23, 21]);
  // As published in the tests of go-sql-driver/mysql (auth_test.go).
  it('answers as other clients do', () => {
    expect([...authMethod('caching_sha2_password', context({ nonce })).first()]).toEqual([
      244, 144, 231, 111, 102, 217, 216, 102, 101, 206, 84, 217, 140, 120, 208, 172, 254, 47, 176, 176, 139,
      66, 61, 168, 7, 20, 72, 115, 211, 11, 49, 44,
    ]);
  });

  it('waits when the server has the password in its cache', () => {
    expect(authMethod('caching_sha2_password', context({})).more(Buffer.from([3]))).toBe(null);
  });

  it('gives the password itself over TLS', () => {
    const method = authMethod('caching_sha2_password', context({ linkIsPrivate: true }));
    expect(method.more(Buffer.from([4]))?.toString('latin1')).toBe('secret\0');
  });

  it('refuses to fetch a key over a clear link that may lead anywhere', () => {
    const method = authMethod('caching_sha2_password', context({}));
    expect(() => method.more(Buffer.from([4]))).toThrow(
      expect.objectContaining({ code: 'HOLT_SOURCE_AUTH_METHOD', disposition: 'retry' }),
    );
  });

  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const decrypted = (answer: Buffer | null): string =>
    Buffer.from(
      privateDecrypt(privateKey, answer ?? Buffer.alloc(0)).map((byte, i) => byte ^ (nonce[i % 20] ?? 0)),
    ).toString('latin1');

  it('encrypts with a key that is known beforehand', () => {
    const method = authMethod('caching_sha2_password', context({ nonce, serverPublicKey: publicKey }));
    expect(decrypted(method.more(Buffer.from([4])))).toBe('secret\0');
  });

  it('asks for the key where it may, and encrypts with what comes', () => {
    const password = 'a password longer than the nonce of twenty bytes';
    const method = authMethod('caching_sha2_password', context({ nonce, password, mayFetchPublicKey: true }));
    expect(method.more(Buffer.from([4]))).toEqual(Buffer.from([2]));
    expect(decrypted(method.more(Buffer.from(publicKey, 'latin1')))).toBe(`${password}\0`);
  });

  it('a key that is none is refused by name', () => {
    const method = authMethod('caching_sha2_password', context({ mayFetchPublicKey: true }));
    method.more(Buffer.from([4]));
    expect(() => method.more(Buffer.from('nonsense'))).toThrow(
      expect.objectContaining({ code: 'HOLT_SOURCE_AUTH_METHOD' }),
    );
  });
});

describe('mysql_clear_password', () => {
  it('goes over TLS only', () => {
    expect(() => authMethod('mysql_clear_password', context({}))).toThrow(
      expect.objectContaining({ code: 'HOLT_SOURCE_AUTH_METHOD' }),
    );
    const method = authMethod('mysql_clear_password', context({ linkIsPrivate: true }));
    expect(method.first().toString('latin1')).toBe('secret\0');
  });
});

describe('client_ed25519', () => {
  it('is plain Ed25519 where the password has the length of a key', () => {
    for (let i = 0; i < 5; i += 1) {
      const seed = randomBytes(32);
      const message = randomBytes(32);
      const key = createPrivateKey({
        key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
        format: 'der',
        type: 'pkcs8',
      });
      expect(signEd25519(seed, message).toString('hex')).toBe(sign(null, message, key).toString('hex'));
    }
  });
});

describe('authMethod', () => {
  it('names a plugin that Holt does not have', () => {
    expect(() => authMethod('authentication_kerberos_client', context({}))).toThrow(/kerberos/);
  });
});
