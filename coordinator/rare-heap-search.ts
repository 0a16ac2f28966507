import { setFlagsFromString } from 'node:v8';

/**
 * Imported first, for what it does. V8 counts the frames on their way among what may make it search its whole heap for garbage. The heap of
 * a coordinator is small beside them, so it would do that several times a second while much WAL comes in, with nothing to be found
 * but frames that are gone: a fifth of all its work. Waiting until both together have grown to three times the heap makes it rare.
 */
setFlagsFromString('--heap-growing-percent=200');
