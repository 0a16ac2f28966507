/** A V8 heap of its own for each worker, kept small: it handles only messages, its bytes lie in buffers and in WebAssembly. */
export const BYTE_WORKER_LIMITS = { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 1, stackSizeMb: 2 } as const;
