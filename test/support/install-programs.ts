// Run before the tests: installs what they need and npm does not bring. What cannot be installed is named, and the tests that need it
// fail with the same hint.
import { installMissingPrograms } from './debian-packages.ts';

installMissingPrograms(['etcd', 'pg_waldump', 'pg_amcheck', 'zstd', 'libfaketime.so.1'], (line) => console.log(line));
