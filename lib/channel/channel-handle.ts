import type { CoreAddress } from '../core/core.js';
import { invalidArg } from '../errors.js';
import { isAddress } from '../handle.js';
import { Sleepers } from './blocking.js';

/** What another thread of this process attaches to a channel by. It keeps nothing alive. */
export interface ChannelHandle {
  readonly slabpool: 'channel';
  readonly address: CoreAddress;
  readonly sleepers: SharedArrayBuffer;
}

export function readChannelHandle(handle: ChannelHandle): ChannelHandle {
  const { slabpool, address, sleepers } = (handle ?? {}) as Partial<ChannelHandle>;
  if (slabpool !== 'channel' || !isAddress(address) || !Sleepers.isMemory(sleepers)) {
    throw invalidArg('Channel.attach(pool, handle), handle', 'the handle of a channel', handle);
  }
  return { slabpool, address, sleepers };
}
