#include "core/janitor.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "core/memory/pressure.h"
#include "core/os/os.h"
#include "core/os/steady_condition.h"
#include "core/pool/pool.h"

namespace slabpool {

class Janitor {
 public:
  // Never destroyed: it may run while the process's statics are destroyed.
  static Janitor& instance() {
    static auto& janitor = *new Janitor;
    return janitor;
  }

  void add(Enrollment& pool) {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return !ending_; });
    pools_.push_back(&pool);
    if (running_) return;
    running_ = true;
    // Where the system has no thread to give, pools age by trim() and before refusals only.
    running_ = os::start_thread(thread_, &run, this);
  }

  void remove(Enrollment& pool) {
    // Relaxed: nothing is read because of it.
    pool.leaving_.store(true, std::memory_order_relaxed);
    std::unique_lock lock(mutex_);
    aged_.wait(lock, [&] { return !pool.being_aged_; });
    pools_.erase(std::find(pools_.begin(), pools_.end(), &pool));
    if (!pools_.empty() || !running_) return;
    running_ = false;
    ending_ = true;  // whoever adds a pool now waits for the end, and starts another thread
    changed_.notify_one();
    lock.unlock();
    os::join_thread(thread_);
    lock.lock();
    ending_ = false;
    ended_.notify_all();
  }

  void wake(Enrollment& pool) {
    const std::lock_guard lock(mutex_);
    pool.aged_at_ = Clock::now();
    changed_.notify_one();
  }

  void trim(Enrollment& pool) {
    const std::lock_guard lock(mutex_);
    pool.next_ = std::max(pool.next_, Enrollment::Due::trim);
    pool.asleep_.store(false, std::memory_order_relaxed);  // under the lock, as the janitor's own
    changed_.notify_one();
  }

  void look() {
    const std::lock_guard lock(mutex_);
    looked_at_ = {};
    changed_.notify_one();
  }

 private:
  using Clock = Enrollment::Clock;

  static void run(void* self) { static_cast<Janitor*>(self)->run(); }

  void run() {
    std::unique_lock lock(mutex_);
    while (running_) {
      Enrollment* next = nullptr;
      Clock::duration look_every = Clock::duration::max();
      for (Enrollment* pool : pools_) {
        // Relaxed: a pool that is woken meanwhile takes the lock, and notifies.
        if (pool->asleep_.load(std::memory_order_relaxed)) continue;
        if (next == nullptr || pool->due() < next->due()) next = pool;
        if (pool->epoch_.count() != 0) look_every = std::min<Clock::duration>(look_every, pool->look_every());
      }
      if (next == nullptr) {
        changed_.wait(lock);
        continue;
      }
      const Clock::time_point now = Clock::now();
      const bool looks = look_every != Clock::duration::max();
      const Clock::time_point look_due = looks ? looked_at_ + look_every : Clock::time_point::max();
      if (look_due <= now) {
        look_at_memory(lock);
      } else if (const Clock::time_point due = next->due(); due > now) {
        // Not by reference: the pool may be gone when the time has come.
        changed_.wait_until(lock, std::min(due, look_due));
      } else {
        age(*next, lock);
      }
    }
  }

  void look_at_memory(std::unique_lock<std::mutex>& lock) {
    looked_at_ = Clock::now();
    lock.unlock();
    (void)memory::look();
    lock.lock();
    for (Enrollment* pool : pools_) {
      const bool awake = !pool->asleep_.load(std::memory_order_relaxed);  // as above
      if (awake && pool->epoch_.count() != 0 && pool->pool_.pressure_level() == PressureLevel::critical) {
        pool->next_ = Enrollment::Due::pressure;
      }
    }
  }

  void age(Enrollment& pool, std::unique_lock<std::mutex>& lock) {
    const Enrollment::Due what = std::exchange(pool.next_, Enrollment::Due::epoch);
    pool.being_aged_ = true;
    lock.unlock();
    switch (what) {
      case Enrollment::Due::epoch:
        (void)pool.pool_.age(&pool.leaving_);
        break;
      case Enrollment::Due::trim:
        (void)pool.pool_.trim(Cause::trim, &pool.leaving_);
        break;
      case Enrollment::Due::pressure:
        (void)pool.pool_.trim_all(&pool.leaving_);
        break;
    }
    lock.lock();
    pool.being_aged_ = false;
    pool.aged_at_ = Clock::now();
    if (pool.pool_.budget().used() == 0 || pool.epoch_.count() == 0) {
      // Acquire and release: pairs with wake().
      (void)pool.asleep_.exchange(true, std::memory_order_acq_rel);
      if (pool.pool_.budget().used() != 0 && pool.epoch_.count() != 0)
        pool.asleep_.store(false, std::memory_order_relaxed);
    }
    aged_.notify_all();
  }

  std::mutex mutex_;
  SteadyCondition changed_;
  std::condition_variable aged_, ended_;
  std::vector<Enrollment*> pools_;
  Clock::time_point looked_at_{};
  os::Thread thread_{};
  bool running_ = false;
  bool ending_ = false;
};

Enrollment::Enrollment(Pool& pool, uint32_t epoch_ms) : pool_(pool), epoch_(epoch_ms) {
  Janitor::instance().add(*this);
}

Enrollment::~Enrollment() { Janitor::instance().remove(*this); }

Enrollment::Clock::time_point Enrollment::due() const {
  if (next_ != Due::epoch) return {};
  if (epoch_.count() == 0) return Clock::time_point::max();
  if (pool_.pressure_level() == PressureLevel::none) return aged_at_ + epoch_;
  return aged_at_ + std::max(epoch_ / 4, std::chrono::milliseconds(1));
}

std::chrono::milliseconds Enrollment::look_every() const {
  return std::clamp(epoch_, std::chrono::milliseconds(memory::kLeastLookMs),
                    std::chrono::milliseconds(memory::kLookEveryMs));
}

void Enrollment::trim_soon() { Janitor::instance().trim(*this); }

void Enrollment::look() { Janitor::instance().look(); }

void Enrollment::awake() { Janitor::instance().wake(*this); }

}  // namespace slabpool
