/** The part of `#adapters/postgres`' Database that replication uses; structural, since adapters don't import each other. */
export interface OwnTransaction {
  query<R>(statement: string, values?: unknown[]): Promise<R[]>;
}

export interface OwnDatabase extends OwnTransaction {
  transact<T>(fn: (tx: OwnTransaction) => Promise<T>): Promise<T>;
}
