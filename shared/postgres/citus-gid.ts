/** What Citus puts into the GID of a branch: `citus_<group>_<backend pid>_<transaction number>_<connection counter>`. */
export interface CitusGid {
  /** Of the node that the transaction was begun on. */
  readonly originatorGroup: string;
  /** The GID without the connection's number: equal in all branches of a transaction. */
  readonly transaction: string;
}

const CITUS_GID = /^citus_(\d{1,10})_\d{1,10}_\d{1,20}_\d{1,10}$/;

/** Null if it is not a GID of Citus's. */
export function parseCitusGid(gid: string): CitusGid | null {
  const originatorGroup = CITUS_GID.exec(gid)?.[1];
  return originatorGroup === undefined ? null : { originatorGroup, transaction: gid.slice(0, gid.lastIndexOf('_')) };
}
