import { z } from 'zod';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { LOG_LEVELS } from '../observability/logger.ts';
import { checkName } from '../repository/layout.ts';
import { parseAddress } from '../rpc/address.ts';

/** Makes a schema's check of a function that throws a TidemarkError for a bad value. */
function accepts(check: (text: string) => unknown) {
  return (context: z.core.ParsePayload<string>) => {
    try {
      check(context.value);
    } catch (error) {
      const message = error instanceof TidemarkError ? `${error.message}. ${error.hint}` : String(error);
      context.issues.push({ code: 'custom', message, input: context.value });
    }
  };
}

/** A node's, data centre's or coordinator's name. */
export const nameSchema = z.string().check(accepts((text) => checkName('name', text)));

/** host:port */
export const addressSchema = z.string().check(accepts(parseAddress));

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  min: 60_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const EXPECTED_DURATION = 'expected a length of time such as 500ms, 10s, 5min, 2h or 7d';

/** A length of time such as `500ms`, `10s`, `5min`, `2h`, `7d`; as milliseconds. */
export const durationSchema = z
  .string(EXPECTED_DURATION)
  .regex(/^\d+(\.\d+)?\s*(ms|s|min|m|h|d)$/, EXPECTED_DURATION)
  .transform((text) => Math.round(Number.parseFloat(text) * (DURATION_UNITS_MS[text.replace(/[\d.\s]/g, '')] ?? 1)));

const SIZE_UNITS_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const EXPECTED_SIZE = 'expected a size such as 512 KiB, 64 MiB or 2 GiB';

/** A size such as `64 MiB`; as bytes. */
export const sizeSchema = z
  .string(EXPECTED_SIZE)
  .regex(/^\d+(\.\d+)?\s*(B|KiB|MiB|GiB|TiB)$/, EXPECTED_SIZE)
  .transform((text) => Math.round(Number.parseFloat(text) * (SIZE_UNITS_BYTES[text.replace(/[\d.\s]/g, '')] ?? 1)));

/** PEM files; given, both sides show certificates. */
export const tlsSchema = z
  .strictObject({
    ca_file: z.string().min(1).describe('the PEM file of the authority that peers’ certificates must come from'),
    cert_file: z.string().min(1).describe('the PEM file of this process’ certificate'),
    key_file: z.string().min(1).describe('the PEM file of this process’ private key'),
    server_name: z.string().min(1).optional().describe('the name in peers’ certificates, when it is not their host'),
  })
  .transform(({ ca_file, cert_file, key_file, server_name }) => ({
    caFile: ca_file,
    certFile: cert_file,
    keyFile: key_file,
    ...(server_name === undefined ? {} : { serverName: server_name }),
  }));

export const logSchema = z
  .strictObject({
    level: z.enum(LOG_LEVELS).default('info'),
  })
  .prefault({});

/** Left out: no HTTP server. */
export const metricsSchema = z
  .strictObject({
    listen: addressSchema.optional().describe('where /metrics and /healthz are served, host:port'),
    insecure: z.boolean().default(false).describe('whether more than loopback may be listened on'),
  })
  .prefault({});
