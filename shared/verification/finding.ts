/** Something wrong with a copy. `damage`: bytes or names that a restore would need; `gap`: a restore from here is not possible. */
export interface Finding {
  readonly kind: 'damage' | 'gap';
  /** The object, or the stream or snapshot that it is about. */
  readonly subject: string;
  readonly problem: string;
}
