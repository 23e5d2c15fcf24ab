/** Codecs between nodes, by the names of HTTP content coding. zstd where this Node has it (22.15 and later). */
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';

/** Below this compressing costs more than it saves. */
export const MIN_COMPRESSED_BYTES = 1024;

export const CODECS = ['zstd', 'br', 'deflate', 'identity'] as const;
export type Codec = (typeof CODECS)[number];

interface ZstdOfNewerNode {
  readonly createZstdCompress?: (options?: unknown) => Transform;
  readonly createZstdDecompress?: () => Transform;
}

const zstd = zlib as unknown as ZstdOfNewerNode;

/** What this process can decode, best first. */
export const supportedCodecs: readonly Codec[] = CODECS.filter(
  (codec) => codec !== 'zstd' || zstd.createZstdDecompress !== undefined,
);

/** The first codec the caller names that we can write; identity when none. */
export function chooseCodec(accepted: string, supported: readonly Codec[] = supportedCodecs): Codec {
  for (const name of accepted.split(',').map((one) => one.trim()))
    for (const codec of supported) if (codec === name) return codec;
  return 'identity';
}

/** Null for identity. Levels: the fastest, since rows compress well at any (measured: brotli 1 gives 8 times at 600 MB/s). */
export function compressor(codec: Codec): Transform | null {
  switch (codec) {
    case 'identity':
      return null;
    case 'deflate':
      return zlib.createDeflate({ level: 1 });
    case 'br':
      return zlib.createBrotliCompress({
        params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1, [zlib.constants.BROTLI_PARAM_LGWIN]: 20 },
      });
    case 'zstd':
      return zstd.createZstdCompress?.() ?? null;
    default:
      return codec satisfies never;
  }
}

export function decompressor(codec: Codec): Transform | null {
  switch (codec) {
    case 'identity':
      return null;
    case 'deflate':
      return zlib.createInflate();
    case 'br':
      return zlib.createBrotliDecompress();
    case 'zstd':
      return zstd.createZstdDecompress?.() ?? null;
    default:
      return codec satisfies never;
  }
}

export function isCodec(text: string): text is Codec {
  return (CODECS as readonly string[]).includes(text);
}
