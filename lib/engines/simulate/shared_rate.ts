/** Something that serves up to `capacity` members at full rate and shares itself equally among more. */
export class SharedRate {
  readonly members = new Set<number>();
  #before = 1;

  constructor(readonly capacity: number) {}

  /** Part of its full rate that each member gets. */
  get share(): number {
    return Math.min(1, this.capacity / this.members.size);
  }

  add(member: number): void {
    this.members.add(member);
  }

  remove(member: number): void {
    this.members.delete(member);
  }

  /** True when the share is another one than when it was last asked. */
  takeChange(): boolean {
    const { share } = this;
    const changed = share !== this.#before;
    this.#before = share;
    return changed;
  }
}
