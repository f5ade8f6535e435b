#include "janitor.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "os.h"
#include "pool.h"

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
    pool.due_ = Clock::now() + pool.epoch_;
    changed_.notify_one();
  }

 private:
  using Clock = Enrollment::Clock;

  static void run(void* self) { static_cast<Janitor*>(self)->run(); }

  void run() {
    std::unique_lock lock(mutex_);
    while (running_) {
      Enrollment* next = nullptr;
      for (Enrollment* pool : pools_) {
        // Relaxed: a pool that is woken meanwhile takes the lock, and notifies.
        if (pool->asleep_.load(std::memory_order_relaxed)) continue;
        if (next == nullptr || pool->due_ < next->due_) next = pool;
      }
      if (next == nullptr) {
        changed_.wait(lock);
      } else if (const Clock::time_point due = next->due_; due > Clock::now()) {
        // Not by reference: the pool may be gone when the time has come.
        changed_.wait_until(lock, due);
      } else {
        age(*next, lock);
      }
    }
  }

  void age(Enrollment& pool, std::unique_lock<std::mutex>& lock) {
    pool.being_aged_ = true;
    lock.unlock();
    pool.pool_.age();
    lock.lock();
    pool.being_aged_ = false;
    pool.due_ = Clock::now() + pool.epoch_;
    if (pool.pool_.budget().used() == 0) {
      // Acquire and release: pairs with wake().
      (void)pool.asleep_.exchange(true, std::memory_order_acq_rel);
      if (pool.pool_.budget().used() != 0) pool.asleep_.store(false, std::memory_order_relaxed);
    }
    aged_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_, aged_, ended_;
  std::vector<Enrollment*> pools_;
  os::Thread thread_{};
  bool running_ = false;
  bool ending_ = false;
};

Enrollment::Enrollment(Pool& pool, uint32_t epoch_ms) : pool_(pool), epoch_(epoch_ms) {
  Janitor::instance().add(*this);
}

Enrollment::~Enrollment() { Janitor::instance().remove(*this); }

void Enrollment::awake() { Janitor::instance().wake(*this); }

}  // namespace slabpool
