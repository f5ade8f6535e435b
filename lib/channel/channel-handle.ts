import type { CoreAddress } from '../core/core.js';
import { invalidArg } from '../errors.js';
import { isAddress } from '../handle.js';
import { Sleepers } from './blocking.js';

/** What another thread of this process attaches to a channel by; structured-clonable. A handle keeps nothing alive. */
export interface ChannelHandle {
  /** @internal */
  readonly slabpool: 'channel';
  /** @internal */
  readonly address: CoreAddress;
  /** @internal */
  readonly sleepers: SharedArrayBuffer;
}

/** Takes a handle apart that may have come from anywhere. @throws `ERR_SLABPOOL_INVALID_ARG` */
export function readChannelHandle(handle: ChannelHandle): ChannelHandle {
  const { slabpool, address, sleepers } = (handle ?? {}) as Partial<ChannelHandle>;
  if (slabpool !== 'channel' || !isAddress(address) || !Sleepers.isMemory(sleepers)) {
    throw invalidArg('Channel.attach(pool, handle), handle', 'the handle of a channel', handle);
  }
  return { slabpool, address, sleepers };
}
