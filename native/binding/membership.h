// Membership: what one environment has of a pool: a reference in the process's registry and an member.
//
// Its end gives everything back: blocks that are still held rest and are free again later, and the last membership of a
// pool ends the pool.
#pragma once

#include <memory>
#include <utility>

#include "core/pool/pool.h"
#include "core/registry.h"

namespace slabpool {

inline constexpr uint32_t kMaxPools = 4096;  // at once, in the process

class Membership {
 public:
  Membership() = default;
  Membership(Membership&& other) noexcept
      : handle_(other.handle_), pool_(std::exchange(other.pool_, nullptr)), thread_(other.thread_) {}
  Membership& operator=(Membership&& other) noexcept {
    leave(Departure::abandoned);
    handle_ = other.handle_;
    pool_ = std::exchange(other.pool_, nullptr);
    thread_ = other.thread_;
    return *this;
  }
  ~Membership() { leave(Departure::abandoned); }

  // Both: nullptr, or the code of what is wrong, which JavaScript has a sentence for.
  [[nodiscard]] const char* create(std::unique_ptr<Pool> pool) {
    if (!pool) return "NO_MEMORY";
    Pool* made = pool.get();
    return pools().add(pool, handle_) ? attach(made) : "TOO_MANY_POOLS";
  }
  [[nodiscard]] const char* join(Handle handle) {
    handle_ = handle;
    Pool* found = pools().join(handle);
    return found != nullptr ? attach(found) : "NO_SUCH_POOL";
  }

  // Keeps a pool from ending, without using it: for a channel. nullptr when it is gone.
  [[nodiscard]] static Pool* retain(Handle handle) { return pools().join(handle); }
  static void release(Handle handle) { pools().leave(handle); }

  // Ends the pool if nobody else has it, whatever this environment still holds. True: it is over.
  bool leave_last() {
    if (!pools().leave_last(handle_)) return false;
    pool_ = nullptr;
    return true;
  }

  void leave(Departure departure) {
    if (pool_ == nullptr) return;
    pool_->detach(*thread_, departure);
    pool_ = nullptr;
    pools().leave(handle_);
  }

  explicit operator bool() const { return pool_ != nullptr; }
  Pool* operator->() const { return pool_; }
  [[nodiscard]] Member& member() const { return *thread_; }
  [[nodiscard]] Handle handle() const { return handle_; }

 private:
  const char* attach(Pool* pool) {
    bool full;
    thread_ = pool->attach(&full);
    if (thread_ != nullptr) {
      pool_ = pool;
      return nullptr;
    }
    pools().leave(handle_);
    return full ? "TOO_MANY_THREADS" : "NO_MEMORY";
  }

  // Never destroyed: workers may outlive the main thread's statics.
  static Registry<Pool, kMaxPools>& pools() {
    static auto& registry = *new Registry<Pool, kMaxPools>;
    return registry;
  }

  Handle handle_{};
  Pool* pool_ = nullptr;
  Member* thread_ = nullptr;
};

}  // namespace slabpool
