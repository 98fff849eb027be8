import * as grpc from '@grpc/grpc-js';
import { SluiceError, type Code } from '../errors';
import { Frame } from './frame';
import { CONSUME, v1 } from './wire';

/** How a stream ended. */
export interface End {
  readonly code: grpc.status;
  readonly details: string;
}

/** Whether no amount of patience changes this answer. */
export function isPermanent({ code }: End): boolean {
  switch (code) {
    case grpc.status.NOT_FOUND:
    case grpc.status.INVALID_ARGUMENT:
    case grpc.status.UNIMPLEMENTED:
    case grpc.status.PERMISSION_DENIED:
      return true;
    default:
      return false;
  }
}

export function errorOf({ code, details }: End): SluiceError {
  return new SluiceError(grpc.status[code] as Code, details);
}

/** What a stream tells; in this order for each event, `onEnd` last and once. */
export interface StreamEvents {
  onFrame(frame: Frame): void;
  onNotice(notice: v1.ConsumeResponse): void;
  /** The write that was in flight is done. */
  onWritten(): void;
  onEnd(end: End): void;
}

type Call = grpc.ClientDuplexStream<Buffer, Frame | v1.ConsumeResponse>;

/** One Consume call. */
export class Stream {
  private readonly call: Call;
  private end: End | undefined;
  private readsOver = false;

  constructor(
    client: grpc.Client,
    private readonly events: StreamEvents,
  ) {
    this.call = client.makeBidiStreamRequest(CONSUME, (request: Buffer) => request, decode);
    this.call.on('data', (response: Frame | v1.ConsumeResponse) => {
      if (response instanceof Frame) events.onFrame(response);
      else events.onNotice(response);
    });
    this.call.on('error', () => undefined); // `status` says the same
    this.call.on('status', (status: grpc.StatusObject) => {
      this.end = { code: status.code, details: status.details };
      this.finishIfOver();
    });
    this.call.on('end', () => {
      this.readsOver = true;
      this.finishIfOver();
    });
  }

  /** Never two at a time. */
  write(request: Buffer): void {
    this.call.write(request, () => {
      if (this.end === undefined) this.events.onWritten();
    });
  }

  halfClose(): void {
    this.call.end();
  }

  cancel(): void {
    this.call.cancel();
  }

  // The status may come before the last responses were read.
  private finishIfOver(): void {
    if (this.end !== undefined && this.readsOver) this.events.onEnd(this.end);
  }
}

function decode(bytes: Buffer): Frame | v1.ConsumeResponse {
  return Frame.is(bytes) ? new Frame(bytes) : v1.ConsumeResponse.decode(bytes);
}
