/**
 * What `tx` is without an ORM: any `pg` client inside a transaction of yours.
 * A `Pool` does not fit, on purpose (`escapeIdentifier` is what it lacks): its queries run on whichever connection is
 * free, so never inside your transaction.
 */
export interface PgClient {
  // biome-ignore lint/suspicious/noExplicitAny: as in pg's own types, so that rows read without a cast
  query<Row = any>(text: string, values?: readonly unknown[]): Promise<{ rows: Row[]; rowCount: number | null }>
  escapeIdentifier(name: string): string
}

/**
 * How Holdfast uses the transactions of your ORM: give one as `holdfast({ tx })` and every `tx` is typed as the ORM's.
 * Without it, `Tx` is a `pg` client. Your own needs these two functions; both must reach the same database as `database`.
 */
export interface Transactions<Tx> {
  /** Opens a transaction, commits it when `run` resolves, rolls it back when `run` rejects, and gives back what `run` gave. */
  begin<T>(run: (tx: Tx) => Promise<T>): Promise<T>
  /** Runs one statement with `$1`-style parameters inside that transaction. */
  query(tx: Tx, text: string, values: readonly unknown[]): Promise<{ rows: unknown[]; rowCount: number | null }>
}
