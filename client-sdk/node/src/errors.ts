import { status } from '@grpc/grpc-js';

/** A code of gRPC's, as it spells it: `NOT_FOUND`. */
export type Code = keyof typeof status;

/** Why a consumption has ended, or what `onError` is told. */
export class SluiceError extends Error {
  override readonly name = 'SluiceError';

  constructor(
    readonly code: Code,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
