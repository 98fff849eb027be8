/**
 * Waiting times between attempts, in ms: none before the first, then doubling from `first` to `longest`, each shortened
 * by up to a quarter at random, so that a fleet does not knock in step.
 */
export class Backoff {
  private wait = 0;

  constructor(
    private readonly first: number,
    private readonly longest: number,
    private readonly random: () => number = Math.random,
  ) {}

  next(): number {
    const wait = this.wait;
    this.wait = Math.min(Math.max(wait * 2, this.first), this.longest);
    return wait * (1 - this.random() / 4);
  }

  reset(): void {
    this.wait = 0;
  }
}
