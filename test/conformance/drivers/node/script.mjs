// What a handler does with a message: what its header `Script` says. See ../../README.md.
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { context, trace } from './traces.mjs';
import { Reject, RetryAfter } from '../../../../client-sdk/node/dist/index.mjs';

/** At once, and whole: the process may be killed the moment after. */
export function emit(event, fields = {}) {
  const json = JSON.stringify({ event, ...fields }, (_, value) => (typeof value === 'bigint' ? `@${value}@` : value));
  let line = Buffer.from(`${json.replace(/"@(\d+)@"/g, '$1')}\n`); // JSON has such numbers, JSON.stringify() has not
  while (line.length > 0) {
    try {
      line = line.subarray(writeSync(1, line));
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error; // the pipe is full
    }
  }
}

/** Of one process: counts the attempts, and keeps what is released. */
export class Scripts {
  #attempts = new Map();
  #released = new Map(); // by sequence: the steps to go on with
  #holding = new Map(); // by sequence: who waits for them

  stepsOf(consumer, message) {
    const name = `${consumer} ${message.streamSequence}`;
    const attempt = (this.#attempts.get(name) ?? 0) + 1;
    this.#attempts.set(name, attempt);
    const attempts = (message.header('Script') ?? 'ack').split('|');
    return attempts[Math.min(attempt, attempts.length) - 1].split(',');
  }

  release(sequence, steps) {
    this.#released.set(sequence, steps);
    this.#holding.get(sequence)?.();
  }

  /** The steps to go on with; none once `signal` aborts. */
  async released(sequence, signal) {
    if (!this.#released.has(sequence) && !signal.aborted) {
      await new Promise((resolve) => {
        this.#holding.set(sequence, resolve);
        signal.addEventListener('abort', resolve, { once: true });
      });
      this.#holding.delete(sequence);
    }
    const steps = this.#released.get(sequence);
    this.#released.delete(sequence);
    return steps;
  }
}

/** One message in the hands of a handler. */
export class Play {
  #scripts;
  #name;
  #byMethods; // verdicts
  #message;
  #steps;
  #verdict;
  #result; // what the handler throws, or returns
  #second;
  #toldCancelled = false;

  constructor(scripts, { name, consumer, byMethods, confirm }, message) {
    this.#scripts = scripts;
    this.#name = name;
    this.#byMethods = byMethods;
    this.#message = message;
    this.#steps = scripts.stepsOf(consumer, message);
    if (confirm) {
      const sequence = message.streamSequence; // not the message: it may be let go of
      void message.outcome.then((outcome) => emit('result', { as: name, sequence, outcome }));
    }
  }

  /** All of it at once if it has nothing to wait for; what is thrown is thrown. */
  runNow() {
    if (this.#steps.some((step) => /^(hold|sleep)/.test(step.trim()))) return this.run();
    this.#begin();
    for (const step of this.#steps) this.#take(step);
    this.#end();
    if (this.#result !== undefined) throw this.#result;
    return undefined;
  }

  /** Returns what is a verdict, and throws what is none. */
  async run() {
    this.#begin();
    while (this.#steps.length > 0) {
      const step = this.#steps.shift().trim();
      if (step === 'hold') await this.#hold();
      else if (step.startsWith('sleep ')) await this.#sleep(Number(step.slice(6)));
      else this.#take(step);
    }
    this.#end();
    if (this.#verdict === 'throw') throw this.#result;
    return this.#result;
  }

  #take(step) {
    const [what, argument = ''] = step.trim().split(/ (.*)/s);
    if (what === 'progress') this.#message.inProgress();
    else if (what === 'again') this.#second = this.#message.nak();
    else this.#settle(what, argument);
  }

  #settle(what, argument) {
    this.#verdict = what;
    if (what === 'throw') this.#result = new Error('the script says so');
    else if (this.#byMethods) this.#settleByMethod(what, argument);
    else if (what === 'nak' || what === 'retry') this.#result = new RetryAfter(Number(argument));
    else if (what === 'reject') this.#result = new Reject(argument);
    else if (what !== 'ack') throw new Error(`no such step: ${what}`);
  }

  #settleByMethod(what, argument) {
    if (what === 'ack') this.#message.ack();
    else if (what === 'nak' || what === 'retry') this.#message.nak(Number(argument));
    else if (what === 'reject') this.#message.term(argument);
    else if (what !== 'forget') throw new Error(`no such step: ${what}`);
  }

  async #sleep(ms) {
    const { signal } = this.#message;
    const told = () => this.#tellCancelled();
    if (signal.aborted) told();
    signal.addEventListener('abort', told);
    await sleep(ms);
    signal.removeEventListener('abort', told);
  }

  async #hold() {
    const { signal } = this.#message;
    const steps = await this.#scripts.released(this.#message.streamSequence, signal);
    if (steps === undefined) this.#tellCancelled();
    this.#steps = (steps ?? 'ack').split(',');
  }

  #tellCancelled() {
    if (this.#toldCancelled) return;
    this.#toldCancelled = true;
    emit('cancelled', this.#named);
  }

  #begin() {
    const m = this.#message;
    emit('begin', {
      ...this.#named,
      consumer_sequence: m.consumerSequence,
      num_delivered: m.numDelivered,
      num_pending: m.numPending,
      timestamp_ns: m.timestampNanos,
      subject: base64(m.subjectBytes),
      headers: m.headerBytes.map((header) => header.map(base64)),
      key: base64(m.key),
      size: m.data.length,
      crc32: crc32(m.data),
      trace: trace.getSpanContext(context.active())?.traceId ?? '',
      time_ns: now(),
      ...(m.data.length <= 1024 && { data: base64(m.data) }),
    });
  }

  #end() {
    if (this.#verdict === undefined) this.#settle('ack', '');
    const second = this.#second === undefined ? {} : { second: this.#second };
    emit('end', { ...this.#named, verdict: this.#verdict, cancelled: this.#message.cancelled, time_ns: now(), ...second });
  }

  get #named() {
    return { as: this.#name, sequence: this.#message.streamSequence };
  }
}

/** The Unix clock, in ns. */
function now() {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

function base64(bytes) {
  return bytes.toString('base64');
}
