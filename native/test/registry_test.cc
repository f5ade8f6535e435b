// Registry: who finds what by which handle, and when it ends. The last tests are for several threads.
#include "core/registry.h"

#include <thread>

#include "test.h"

namespace slabpool::test {
namespace {

// Counts its lives; `alive` is plain, so that ThreadSanitizer sees a use that a destruction is not ordered after.
struct Thing {
  static inline std::atomic<uint32_t> made{0}, destroyed{0};
  explicit Thing(uint64_t mark_) : mark(mark_) { ++made; }
  ~Thing() {
    mark = 0;
    ++destroyed;
  }
  uint64_t mark;
};

using Things = Registry<Thing, 4>;

std::unique_ptr<Things> none() {
  Thing::made = Thing::destroyed = 0;
  return std::make_unique<Things>();
}

Handle add(Things& things, uint64_t mark) {
  Handle handle{};
  auto thing = std::make_unique<Thing>(mark);
  CHECK(things.add(thing, handle));
  CHECK(thing == nullptr);
  return handle;
}

TEST(handle_that_never_was_joins_nothing) {
  const auto things = none();
  CHECK(things->join({0, 0}) == nullptr);
  CHECK(things->join({3, 7}) == nullptr);
  CHECK(things->join({4, 0}) == nullptr);
  CHECK(things->join({UINT32_MAX, UINT32_MAX}) == nullptr);
  const Handle handle = add(*things, 1);
  CHECK(things->join({handle.slot, handle.serial + 1}) == nullptr);
  CHECK(things->join({handle.slot + 1, handle.serial}) == nullptr);
  things->leave(handle);
  CHECK_EQ(Thing::destroyed.load(), 1u);
}

TEST(last_to_leave_destroys_exactly_once) {
  const auto things = none();
  const Handle handle = add(*things, 42);
  Thing* first = things->join(handle);
  CHECK(first != nullptr && first == things->join(handle) && first->mark == 42);
  things->leave(handle);
  things->leave(handle);
  CHECK_EQ(Thing::destroyed.load(), 0u);
  CHECK(things->join(handle) == first);
  things->leave(handle);
  things->leave(handle);
  CHECK_EQ(Thing::destroyed.load(), 1u);
  CHECK(things->join(handle) == nullptr);
}

TEST(slot_is_used_again_with_a_new_serial) {
  const auto things = none();
  const Handle first = add(*things, 1);
  things->leave(first);
  const Handle second = add(*things, 2);
  CHECK_EQ(second.slot, first.slot);
  CHECK(second.serial != first.serial);
  CHECK(things->join(first) == nullptr);
  CHECK_EQ(things->join(second)->mark, uint64_t{2});
  things->leave(second);
  things->leave(second);
  CHECK_EQ(Thing::destroyed.load(), 2u);
}

TEST(full_registry_refuses_and_leaves_the_thing_with_the_caller) {
  const auto things = none();
  Handle handles[4];
  for (uint64_t i = 0; i < 4; ++i) handles[i] = add(*things, i);
  auto fifth = std::make_unique<Thing>(5);
  Handle handle{};
  CHECK(!things->add(fifth, handle));
  CHECK(fifth != nullptr && fifth->mark == 5);
  things->leave(handles[2]);
  CHECK(things->add(fifth, handle));
  CHECK_EQ(handle.slot, handles[2].slot);
  CHECK_EQ(things->join(handle)->mark, uint64_t{5});
  things->leave(handle);
  things->leave(handle);
  for (const uint32_t i : {0, 1, 3}) things->leave(handles[i]);
  CHECK_EQ(Thing::destroyed.load(), 5u);
}

// Each thread adds, joins what others published, leaves by its own count, and looks at the thing in between.
TEST(many_threads_add_join_and_leave) {
  const auto things = none();
  constexpr uint32_t kRounds = kSanitized ? 20'000 : 100'000;
  std::atomic<uint64_t> published[4] = {};  // {slot, serial} + 1 of what may be joined; stale on purpose
  std::atomic<uint32_t> joins{0};
  const auto work = [&](uint32_t seed) {
    Random random(seed);
    for (uint32_t i = 0; i < kRounds; ++i) {
      if (random.below(3) == 0) {
        auto thing = std::make_unique<Thing>(0x5ab1);
        Handle handle{};
        if (!things->add(thing, handle)) continue;  // full: at most 4 at once, and there are more threads
        published[1 + random.below(3)] = (uint64_t{handle.slot} << 32 | handle.serial) + 1;
        things->leave(handle);
      } else {
        const uint64_t word = published[random.below(4)];
        if (word == 0) continue;
        const Handle handle{static_cast<uint32_t>((word - 1) >> 32), static_cast<uint32_t>(word - 1)};
        const Thing* thing = things->join(handle);
        if (thing == nullptr) continue;
        ++joins;
        CHECK_EQ(thing->mark, uint64_t{0x5ab1});
        if (random.below(4) == 0) std::this_thread::yield();
        CHECK_EQ(thing->mark, uint64_t{0x5ab1});
        things->leave(handle);
      }
    }
  };
  // One that stays, so that some joins find something whatever the interleaving.
  const Handle stays = add(*things, 0x5ab1);
  published[0] = (uint64_t{stays.slot} << 32 | stays.serial) + 1;
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 6; ++t) threads.emplace_back(work, t);
  for (std::thread& thread : threads) thread.join();
  things->leave(stays);
  CHECK(joins != 0);
  CHECK_EQ(Thing::made.load(), Thing::destroyed.load());
  for (uint32_t slot = 0; slot < 4; ++slot) {
    const uint64_t word = published[slot];
    if (word != 0)
      CHECK(things->join({static_cast<uint32_t>((word - 1) >> 32), static_cast<uint32_t>(word - 1)}) == nullptr);
  }
}

}  // namespace
}  // namespace slabpool::test
