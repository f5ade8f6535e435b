// Quarantine: what members have left behind: blocks that are free again, and tickets that are void, when an epoch has
// passed.
//
// What        Of a member that is gone, the operating system may still be writing to the blocks that it held (a read
//             that was under way when its worker was terminated). So these wait, in batches, in the quarantine stack of
//             their home. Blocks that it had sent by ticket wait in a list: whoever knows such a ticket may still adopt
//             it.
// Callers     Any thread.
// Ownership   Blocks in quarantine belong to it; of those in flight it knows only what recall() needs.
// Never lost  1. take_all_of() counts a block, or links a ticket, by a seq_cst operation, and its caller then looks for
//             waiters.
//             2. Whoever waits says so by a seq_cst operation (wait_queue.h), and then calls release_expired().
//             3. Either the waiter finds the block, or the other one finds the waiter, and serves it.
#pragma once

#include <cstdint>

#include "core/pool/block_store.h"
#include "core/pool/member.h"
#include "core/sync/sync.h"

namespace slabpool {

class Quarantine {
 public:
  Quarantine(BlockStore& store, uint32_t epoch_ms) : store_(store), epoch_ms_(epoch_ms) {}
  ~Quarantine();
  Quarantine(const Quarantine&) = delete;
  Quarantine& operator=(const Quarantine&) = delete;

  // All blocks that the member holds. If it was abandoned, its tickets as well; after a clean exit they are good for
  // ever.
  void take_all_of(Member& member, Departure departure);

  // What has been here for an epoch is free, and in the depot of its home: blocks of the class, and those of tickets,
  // of any class. True if there were any.
  bool release_expired(uint32_t c);

  // Whether there is anything.
  [[nodiscard]] bool any() const;

 private:
  // Blocks in flight whose senders were abandoned: a stack that is only pushed to and emptied at once.
  struct AbandonedTicket {
    uint32_t block;
    uint32_t generation;
    uint32_t since;  // os::now_ms()
    AbandonedTicket* next;
  };

  bool free_expired_blocks(uint32_t c);
  bool recall_expired_tickets();
  void add_ticket(uint32_t block, uint32_t generation, uint32_t since);

  BlockStore& store_;
  const uint32_t epoch_ms_;
  StdSync::atomic<AbandonedTicket*> tickets_{nullptr};
};

}  // namespace slabpool
