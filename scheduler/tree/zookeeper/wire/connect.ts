import { JuteReader, JuteWriter } from './jute.ts';

export interface ConnectRequest {
  /** The last transaction this client knows of; a server that is behind it refuses the connection. */
  readonly lastZxid: bigint;
  readonly timeoutMs: number;
  /** 0n asks for a new session. */
  readonly sessionId: bigint;
  readonly password: Buffer;
}

export interface ConnectResponse {
  /** 0 or below: the session asked for has expired. */
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly password: Buffer;
}

/**
 *     ConnectRequest { int protocolVersion; long lastZxidSeen; int timeOut; long sessionId; buffer passwd; bool readOnly; }
 *
 * `readOnly` is false always: a server cut off from the others must refuse us, not serve an old state.
 */
export function encodeConnectRequest(request: ConnectRequest): Buffer {
  return new JuteWriter()
    .int(0)
    .long(request.lastZxid)
    .int(request.timeoutMs)
    .long(request.sessionId)
    .buffer(request.password)
    .bool(false)
    .packet();
}

/** `ConnectResponse { int protocolVersion; int timeOut; long sessionId; buffer passwd; [bool readOnly;] }` */
export function decodeConnectResponse(body: Buffer): ConnectResponse {
  const reader = new JuteReader(body);
  reader.int();
  const timeoutMs = reader.int();
  const sessionId = reader.long();
  return { timeoutMs, sessionId, password: reader.buffer() };
}
