/**
 * INCIDENT: the source says that its log lacks something.
 *
 *     u16 incident (1 lost events) · u8 length · message
 */
import type { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader } from './event.ts';

export function decodeIncident(reader: ByteReader, header: EventHeader): BinlogEvent {
  const incident = reader.u16();
  const message = reader.remaining > 0 ? reader.utf8(reader.u8()) : '';
  return { kind: 'incident', header, incident, message };
}
