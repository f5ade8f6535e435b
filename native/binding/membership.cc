#include "membership.h"

#include <utility>

namespace slabpool {

namespace {

// Never destroyed: workers may outlive the main thread's statics.
Registry<Pool, kMaxPools>& pools() {
  static auto& registry = *new Registry<Pool, kMaxPools>;
  return registry;
}

}  // namespace

Membership::Membership(Membership&& other) noexcept
    : handle_(other.handle_), pool_(std::exchange(other.pool_, nullptr)), member_(other.member_) {}

Membership& Membership::operator=(Membership&& other) noexcept {
  leave(Departure::abandoned);
  handle_ = other.handle_;
  pool_ = std::exchange(other.pool_, nullptr);
  member_ = other.member_;
  return *this;
}

Membership::~Membership() { leave(Departure::abandoned); }

const char* Membership::create(std::unique_ptr<Pool> pool) {
  if (!pool) return "NO_MEMORY";
  Pool* const made = pool.get();
  return pools().add(pool, handle_) ? attach(made) : "TOO_MANY_POOLS";
}

const char* Membership::join(Handle handle) {
  handle_ = handle;
  Pool* const found = pools().join(handle);
  return found != nullptr ? attach(found) : "NO_SUCH_POOL";
}

const char* Membership::attach(Pool* pool) {
  bool full;
  member_ = pool->attach(&full);
  if (member_ != nullptr) {
    pool_ = pool;
    return nullptr;
  }
  pools().leave(handle_);
  return full ? "TOO_MANY_THREADS" : "NO_MEMORY";
}

Pool* Membership::retain(Handle handle) { return pools().join(handle); }

void Membership::release(Handle handle) { pools().leave(handle); }

bool Membership::leave_last() {
  if (!pools().leave_last(handle_)) return false;
  pool_ = nullptr;
  return true;
}

void Membership::leave(Departure departure) {
  if (pool_ == nullptr) return;
  pool_->detach(*member_, departure);
  pool_ = nullptr;
  pools().leave(handle_);
}

}  // namespace slabpool
