/**
 * Something to know of a copy. `damage`: bytes or names that a restore would need; `gap`: a restore from here is not possible;
 * `lost`: neither is it from any other copy, and a leader has declared so: the copy itself is sound.
 */
export interface Finding {
  readonly kind: 'damage' | 'gap' | 'lost';
  /** The object, or the stream or snapshot that it is about. */
  readonly subject: string;
  readonly problem: string;
}
