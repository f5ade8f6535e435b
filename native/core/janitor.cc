#include "core/janitor.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "core/memory/pressure.h"
#include "core/os/os.h"
#include "core/os/steady_condition.h"

namespace slabpool {

class Janitor {
 public:
  // Never destroyed: it may run while the process's statics are destroyed.
  static Janitor& instance() {
    static auto& janitor = *new Janitor;
    return janitor;
  }

  void add(Enrollment& one) {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return !ending_; });
    enrolled_.push_back(&one);
    if (running_) return;
    running_ = true;
    // Where the system has no thread to give, pools age by trim() and before refusals only.
    running_ = os::start_thread(thread_, &run, this);
  }

  void remove(Enrollment& one) {
    // Relaxed: nothing is read because of it.
    one.leaving_.store(true, std::memory_order_relaxed);
    std::unique_lock lock(mutex_);
    aged_.wait(lock, [&] { return !one.being_aged_; });
    enrolled_.erase(std::find(enrolled_.begin(), enrolled_.end(), &one));
    if (!enrolled_.empty() || !running_) return;
    running_ = false;
    ending_ = true;  // whoever enrolls now waits for the end, and starts another thread
    changed_.notify_one();
    lock.unlock();
    os::join_thread(thread_);
    lock.lock();
    ending_ = false;
    ended_.notify_all();
  }

  void wake(Enrollment& one) {
    const std::lock_guard lock(mutex_);
    one.aged_at_ = Clock::now();
    changed_.notify_one();
  }

  void trim(Enrollment& one) {
    const std::lock_guard lock(mutex_);
    one.next_ = std::max(one.next_, Aging::trim);
    one.asleep_.store(false, std::memory_order_relaxed);  // under the lock, as the janitor's own
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
      for (Enrollment* one : enrolled_) {
        // Relaxed: whoever wakes one meanwhile takes the lock, and notifies.
        if (one->asleep_.load(std::memory_order_relaxed)) continue;
        if (next == nullptr || one->due() < next->due()) next = one;
        if (one->epoch_.count() != 0) look_every = std::min<Clock::duration>(look_every, one->look_every());
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
        // Not by reference: the enrollment may be gone when the time has come.
        changed_.wait_until(lock, std::min(due, look_due));
      } else {
        age(*next, lock);
      }
    }
  }

  void look_at_memory(std::unique_lock<std::mutex>& lock) {
    looked_at_ = Clock::now();
    lock.unlock();
    const bool critical = memory::look().level == PressureLevel::critical;
    lock.lock();
    if (!critical) return;
    for (Enrollment* one : enrolled_) {
      const bool awake = !one->asleep_.load(std::memory_order_relaxed);  // as above
      if (awake && one->epoch_.count() != 0) one->next_ = Aging::pressure;
    }
  }

  void age(Enrollment& one, std::unique_lock<std::mutex>& lock) {
    const Aging why = std::exchange(one.next_, Aging::epoch);
    one.being_aged_ = true;
    lock.unlock();
    one.ageable_.age(why, one.leaving_);
    lock.lock();
    one.being_aged_ = false;
    one.aged_at_ = Clock::now();
    const auto sleeps = [&] { return one.epoch_.count() == 0 || !one.ageable_.has_pages(); };
    if (sleeps()) {
      // Acquire and release: pairs with wake().
      (void)one.asleep_.exchange(true, std::memory_order_acq_rel);
      if (!sleeps()) one.asleep_.store(false, std::memory_order_relaxed);
    }
    aged_.notify_all();
  }

  std::mutex mutex_;
  SteadyCondition changed_;
  std::condition_variable aged_, ended_;
  std::vector<Enrollment*> enrolled_;
  Clock::time_point looked_at_{};
  os::Thread thread_{};
  bool running_ = false;
  bool ending_ = false;
};

Enrollment::Enrollment(Ageable& ageable, uint32_t epoch_ms) : ageable_(ageable), epoch_(epoch_ms) {
  Janitor::instance().add(*this);
}

Enrollment::~Enrollment() { Janitor::instance().remove(*this); }

Enrollment::Clock::time_point Enrollment::due() const {
  if (next_ != Aging::epoch) return {};
  if (epoch_.count() == 0) return Clock::time_point::max();
  if (memory::last().level == PressureLevel::none) return aged_at_ + epoch_;
  return aged_at_ + std::max(epoch_ / 4, std::chrono::milliseconds(1));
}

std::chrono::milliseconds Enrollment::look_every() const {
  return std::clamp(epoch_, std::chrono::milliseconds(memory::kLeastLookMs),
                    std::chrono::milliseconds(memory::kLookEveryMs));
}

void Enrollment::trim_soon() { Janitor::instance().trim(*this); }

void Enrollment::awake() { Janitor::instance().wake(*this); }

}  // namespace slabpool
