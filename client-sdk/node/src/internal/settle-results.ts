import { SluiceError } from '../errors';
import type { Stats } from '../options';
import type { Outcome } from '../verdict';
import type { Confirmations } from './confirmations';
import { toId } from './id';
import { v1 } from './wire';

/** Counts and passes on what the daemon says of verdicts. Returns what the app is to be told of. */
export function takeResults(
  { results }: v1.ISettleResults,
  stats: Stats,
  confirmations: Confirmations | undefined,
): SluiceError[] {
  const errors: SluiceError[] = [];
  for (const result of results ?? []) {
    const outcome = outcomeOf(result.outcome);
    const ids = result.ids ?? [];
    if (confirmations !== undefined) for (const id of ids) confirmations.onResult(toId(id), outcome);
    count(stats, outcome, ids.length);
    const error = errorOf(outcome, ids.length, result.detail ?? '');
    if (error !== undefined) errors.push(error);
  }
  return errors;
}

function outcomeOf(outcome: v1.SettleResult.Outcome | null | undefined): Outcome {
  switch (outcome) {
    case v1.SettleResult.Outcome.OUTCOME_CONFIRMED:
      return 'CONFIRMED';
    case v1.SettleResult.Outcome.OUTCOME_LATE:
      return 'LATE';
    case v1.SettleResult.Outcome.OUTCOME_NOT_HELD:
      return 'NOT_HELD';
    default:
      return 'FAILED';
  }
}

function count(stats: Stats, outcome: Outcome, ids: number): void {
  if (outcome === 'LATE') stats.late += ids;
  else if (outcome === 'NOT_HELD') stats.notHeld += ids;
  else if (outcome === 'FAILED') stats.failed += ids;
}

function errorOf(outcome: Outcome, ids: number, detail: string): SluiceError | undefined {
  const why = detail === '' ? '' : `: ${detail}`;
  switch (outcome) {
    case 'CONFIRMED':
      return undefined;
    case 'LATE':
      return new SluiceError('DEADLINE_EXCEEDED', `${ids} verdicts came after their lease had ended${why}`);
    case 'NOT_HELD':
      return new SluiceError('NOT_FOUND', `${ids} verdicts were for messages that the daemon does not hold${why}`);
    case 'FAILED':
      return new SluiceError('UNAVAILABLE', `${ids} verdicts could not be confirmed${why}`);
  }
}
