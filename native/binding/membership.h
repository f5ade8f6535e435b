// Membership: what one environment has of a pool: a reference in the process's registry, and a Member.
//
// Callers     The environment's thread.
// Ownership   The end of a membership gives everything back: blocks that are still held are in quarantine, and free
//             again later; the last membership of a pool ends the pool.
#pragma once

#include <cstdint>
#include <memory>

#include "core/pool/pool.h"
#include "core/registry.h"

namespace slabpool {

inline constexpr uint32_t kMaxPools = 4096;  // at once, in the process

class Membership {
 public:
  Membership() = default;
  Membership(Membership&& other) noexcept;
  Membership& operator=(Membership&& other) noexcept;
  ~Membership();

  // Both: nullptr, or the code of what is wrong, which JavaScript has a sentence for.
  [[nodiscard]] const char* create(std::unique_ptr<Pool> pool);
  [[nodiscard]] const char* join(Handle handle);

  // Keeps a pool from ending, without using it: for a channel. nullptr when it is gone.
  [[nodiscard]] static Pool* retain(Handle handle);
  static void release(Handle handle);

  // Ends the pool if nobody else has it, whatever this environment still holds. True: it is over.
  bool leave_last();
  void leave(Departure departure);

  // On every hot path, so they are here.
  explicit operator bool() const { return pool_ != nullptr; }
  Pool* operator->() const { return pool_; }
  Pool& operator*() const { return *pool_; }
  [[nodiscard]] Member& member() const { return *member_; }
  [[nodiscard]] Handle handle() const { return handle_; }

 private:
  const char* attach(Pool* pool);

  Handle handle_{};
  Pool* pool_ = nullptr;
  Member* member_ = nullptr;
};

}  // namespace slabpool
