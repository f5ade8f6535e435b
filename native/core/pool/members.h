// Members: the threads that are attached to a pool, and which of its blocks each of them holds.
//
// What        A place for each member, by an index that is its name in the state of blocks. A block comes to a member
//             by hand_out() or adopt(), and leaves it by take_back(), retire() or transfer().
// Callers     Any thread takes a place; the calls that are given a Member come from the thread of that member.
// Ownership   A block belongs to its holder. Whoever names a block that the member does not hold gets `not_held`, or
//             `stale`.
// Identity    held == sum(taken + adopted) - sum(returned + sent), per class; see member.h.
#pragma once

#include <cstdint>

#include "core/pool/block_store.h"
#include "core/pool/member.h"

namespace slabpool {

inline constexpr uint32_t kMaxMembers = 4096;
inline constexpr uint32_t kMaxThreads = kMaxMembers - 1;  // attached at once: the last place is the budget queue's

// What a block in flight travels with. A ticket is good as long as its sender lives, and an epoch more: then nobody may
// know it any more. A channel keeps what is in it.
enum class Carrier : uint8_t { ticket, channel };

class Members {
 public:
  explicit Members(BlockStore& store) : store_(store) {}
  ~Members();
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;

  // -- Places

  // A new member. nullptr: no memory, or, with `full`, kMaxThreads are attached.
  [[nodiscard]] Member* attach(bool* full);
  // The member's place is free for the next one. By whoever has taken its blocks from it.
  void leave(Member& member);
  // A place beside those of attach(), for good. nullptr: no memory.
  [[nodiscard]] Member* take_place();

  // nullptr while nobody ever had the index. Acquire: pairs with the release of member_for(); the member is complete.
  [[nodiscard]] Member* at(uint32_t index) const { return members_[index].load(std::memory_order_acquire); }
  // A bound for indices, and for loops: nobody ever was at or above it. Seq_cst: see member_for().
  [[nodiscard]] uint32_t count() const { return count_.load(std::memory_order_seq_cst); }
  // Whether a member has the index now.
  [[nodiscard]] bool is_attached(uint32_t index) const {
    return (attached_[index / 64].load(std::memory_order_relaxed) >> index % 64 & 1) != 0;
  }
  // Visits each member that there is, or ever was.
  template <class Visit>
  void each(const Visit& visit) const {
    const uint32_t count = this->count();
    for (uint32_t index = 0; index < count; ++index) {
      if (Member* const member = at(index)) visit(*member);
    }
  }

  // -- Who holds what

  [[nodiscard]] bool holds(const Member& member, uint32_t c, uint32_t block) const {
    // A block that this member holds had its slab published to it with the batch, or with the ticket.
    return block < store_.block_count() && store_.block(block).state.held_by(member.index) &&
           store_.class_of(block) == c;
  }
  // Whether the member holds any block, leased or in a magazine.
  [[nodiscard]] bool holds_any(const Member& member) const;

  // From now on the member holds these blocks, which the caller owns.
  void hand_out(Member& member, uint32_t c, const uint32_t* blocks, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) store_.block(blocks[i]).state.hand_out(member.index);
    member.classes[c].taken.add(count);
  }
  // The blocks are free, and the caller's, which the member holds: how many, first in `blocks`. The others are left
  // alone.
  [[nodiscard]] uint32_t take_back(Member& member, uint32_t c, uint32_t* blocks, uint32_t count);
  // The block is never used again.
  [[nodiscard]] Status retire(Member& member, uint32_t c, uint32_t block);
  // The block takes flight: `generation` is what adopt() needs. `size` of its bytes are used.
  [[nodiscard]] Status transfer(Member& member, uint32_t c, uint32_t block, Carrier carrier, uint32_t& generation,
                                uint32_t size);
  // The flight of the block ends with the member, if the low `bits` bits of its generation are those of `generation`;
  // otherwise stale. The member's thread sees all that was written before transfer().
  [[nodiscard]] Status adopt(Member& member, uint32_t block, uint32_t generation, uint32_t bits = kGenerationBits);

 private:
  // The caller owns the index.
  [[nodiscard]] Member* member_for(uint32_t index);

  BlockStore& store_;
  // Grow-only: counters outlive the threads.
  StdSync::atomic<Member*> members_[kMaxMembers]{};
  // A bit for each index that a member has now.
  StdSync::atomic<uint64_t> attached_[kMaxMembers / 64]{};
  // Threads that have a place, or look for one: at most kMaxThreads.
  StdSync::atomic<uint32_t> threads_{0};
  // Highest index ever attached, plus one.
  StdSync::atomic<uint32_t> count_{0};
};

}  // namespace slabpool
