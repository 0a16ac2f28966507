import assert from 'node:assert/strict';
import { checkReadable, checkServing, type ServingConfig } from '../../../../shared/config/check-serving.ts';
import { readEnvironment } from '../../../../shared/config/environment.ts';
import { coordinatorConfigSchema } from '../../../../coordinator/config/coordinator-config.ts';
import { agentConfigSchema } from '../../../../agent/config/agent-config.ts';

const LOCAL: ServingConfig = { listen: '127.0.0.1:7400', insecure: false, metrics: { insecure: false } };

function refused(changes: Partial<ServingConfig>): string {
  let message = '';
  assert.throws(
    () => checkServing({ ...LOCAL, ...changes }),
    (error: Error & { code: string }) => {
      message = `${error.code} ${error.message}`;
      return true;
    },
  );
  return message;
}

describe('the check of a configuration beyond its schema', () => {
  it('wants TLS, or to be told, where others can call', () => {
    checkServing(LOCAL);
    assert.match(refused({ listen: '10.0.0.1:7400' }), /^TM-CONFIG-001 listen: .* there is no TLS/);
    checkServing({ ...LOCAL, listen: '10.0.0.1:7400', insecure: true });
    assert.match(refused({ metrics: { listen: '0.0.0.0:9000', insecure: false } }), /metrics\.listen/);
    checkServing({ ...LOCAL, metrics: { listen: '0.0.0.0:9000', insecure: true } });
  });

  it('wants an address that others can be told', () => {
    for (const listen of ['0.0.0.0:7400', '[::]:7400']) {
      assert.match(refused({ listen, insecure: true }), /^TM-CONFIG-001 advertise is missing/);
      checkServing({ ...LOCAL, listen, insecure: true, advertise: 'db1:7400' });
    }
  });

  it('wants the files that are named', () => {
    const tls = { caFile: '/nowhere/ca.pem', certFile: '/nowhere/cert.pem', keyFile: '/nowhere/key.pem' };
    assert.match(refused({ tls }), /^TM-CONFIG-002 cannot read the TLS file \/nowhere\/ca\.pem/);
    assert.throws(() => checkReadable('postgres.password_file', '/nowhere/password'), { code: 'TM-CONFIG-002' });
    checkReadable('postgres.password_file', undefined);
  });

  it("lets the command line's own variables stand beside a process's", () => {
    for (const schema of [agentConfigSchema, coordinatorConfigSchema]) {
      readEnvironment(schema, { TIDEMARK_COORDINATOR: 'a:1' });
      readEnvironment(schema, { TIDEMARK_TLS_CA_FILE: '/ca', TIDEMARK_TLS_SERVER_NAME: 'x' });
    }
    assert.throws(() => readEnvironment(agentConfigSchema, { TIDEMARK_COORDINATRS: 'a:1' }), { code: 'TM-CONFIG-001' });
  });
});
