import { dlopen, FFIType } from 'bun:ffi';
import { EngineError, messageOf } from '../errors/engine-error.ts';
import { cString } from './libc.ts';

const { cstring, i32, ptr, u32 } = FFIType;

const SYMBOLS = {
  nft_ctx_new: { args: [u32], returns: ptr },
  nft_run_cmd_from_buffer: { args: [ptr, ptr], returns: i32 },
  nft_ctx_buffer_error: { args: [ptr], returns: i32 },
  nft_ctx_get_error_buffer: { args: [ptr], returns: cstring },
  nft_ctx_buffer_output: { args: [ptr], returns: i32 },
  nft_ctx_free: { args: [ptr], returns: i32 },
} as const;

/** Loaded at first use. libc has nothing for this, and a spawned nft(8) costs ten times as much (measured: 0.6 ms and 6 ms). */
const library = lazily(() => dlopen('libnftables.so.1', SYMBOLS).symbols);

/**
 * Run nft commands in one transaction, in the network namespace that the calling thread is in. Blocks: for worker threads.
 *
 * @throws EngineError "internal" with nft's words.
 */
export function runNft(commands: string): void {
  const nft = library();
  const context = nft.nft_ctx_new(0);
  if (context === null) throw new EngineError('internal', 'Cannot start nft');
  try {
    nft.nft_ctx_buffer_error(context);
    nft.nft_ctx_buffer_output(context);
    const text = cString(commands);
    if (nft.nft_run_cmd_from_buffer(context, text) === 0) return;
    const words = String(nft.nft_ctx_get_error_buffer(context)).trim().slice(0, 2000);
    throw new EngineError('internal', `nft failed: ${words}`);
  } finally {
    nft.nft_ctx_free(context);
  }
}

function lazily<T>(open: () => T): () => T {
  let opened: { value: T } | undefined;
  return () => {
    try {
      opened ??= { value: open() };
      return opened.value;
    } catch (error) {
      throw new EngineError('unavailable', `Cannot load libnftables: ${messageOf(error)}`, {
        hint: 'Install the package nftables.',
        cause: error,
      });
    }
  };
}
