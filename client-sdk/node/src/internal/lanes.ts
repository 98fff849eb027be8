import { Place, type Delivery } from './delivery';

/** Of each key one message runs at a time, and the others wait behind it in the order of delivery. */
export class Lanes {
  /** By key: what waits behind the one that runs. */
  private readonly lanes = new Map<string, Delivery[]>();

  /** True if it may run now; else it waits. */
  enter(key: string, delivery: Delivery): boolean {
    const waiting = this.lanes.get(key);
    if (waiting === undefined) {
      this.lanes.set(key, []);
      return true;
    }
    waiting.push(delivery);
    return false;
  }

  /** The one that ran is done. Returns the next, which runs now; what was given back meanwhile is passed over. */
  leave(key: string): Delivery | undefined {
    const waiting = this.lanes.get(key) ?? [];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (next.place === Place.Queued) return next;
    }
    this.lanes.delete(key);
    return undefined;
  }
}
