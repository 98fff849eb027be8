import type { Outcome } from '../verdict';
import type { Delivery } from './delivery';
import type { Id } from './id';

/** With `confirm`: the verdicts whose outcome the daemon still owes. */
export class Confirmations {
  private due = new Map<Id, Delivery>();
  // How often each has an in_progress under way: they are answered as well, and before the verdict.
  private readonly inProgress = new Map<Id, number>();

  outcomeOf(delivery: Delivery): Promise<Outcome> {
    if (delivery.awaited === undefined) {
      let resolve: (outcome: Outcome) => void = () => undefined;
      const promise = new Promise<Outcome>((r) => (resolve = r));
      delivery.awaited = { promise, resolve };
      if (delivery.outcome !== undefined) resolve(delivery.outcome);
    }
    return delivery.awaited.promise;
  }

  /** A verdict was given. `told`: the daemon has been told, or will be once a stream has resumed the message. */
  onVerdict(delivery: Delivery, told: boolean): void {
    if (told) this.due.set(delivery.id, delivery);
    else settle(delivery, 'FAILED');
  }

  onInProgress(id: Id): void {
    this.inProgress.set(id, (this.inProgress.get(id) ?? 0) + 1);
  }

  onResult(id: Id, outcome: Outcome): void {
    const inProgress = this.inProgress.get(id) ?? 0;
    if (inProgress > 0) {
      if (inProgress === 1) this.inProgress.delete(id);
      else this.inProgress.set(id, inProgress - 1);
      return;
    }
    const delivery = this.due.get(id);
    if (delivery === undefined) return;
    this.due.delete(id);
    settle(delivery, outcome);
  }

  /** What the new stream does not know it will not confirm. */
  onOpened(resumed: ReadonlyMap<Id, Id>): void {
    const before = this.due;
    this.due = new Map();
    this.inProgress.clear();
    for (const [id, delivery] of before) {
      const next = resumed.get(id);
      if (next === undefined) settle(delivery, 'FAILED');
      else this.due.set(next, delivery);
    }
  }

  close(): void {
    for (const delivery of this.due.values()) settle(delivery, 'FAILED');
    this.due.clear();
  }
}

function settle(delivery: Delivery, outcome: Outcome): void {
  delivery.outcome = outcome;
  delivery.awaited?.resolve(outcome);
}
