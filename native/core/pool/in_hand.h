// InHand: which threads have blocks in hand that others would find in no place, and when that has ended.
//
// Callers     Any thread. The lock is held for counting only, never while a thread has something in hand.
// Why         Whoever finds nothing, while another thread has blocks in hand, would refuse what is there again in a
//             moment: it waits until one such thread is done, and looks once more. A refusal counts only when no thread
//             had anything in hand from before the looking until after it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace slabpool {

class InHand {
 public:
  // Runs `action`, which has blocks in hand meanwhile.
  template <class Action>
  void during(Action&& action) {
    {
      const std::lock_guard lock(lock_);
      ++now_;
    }
    action();
    {
      const std::lock_guard lock(lock_);
      --now_;
      ++ended_;
    }
    one_ended_.notify_all();
  }

  // How many threads have something in hand, and how often that has ended so far.
  struct Look {
    uint32_t now;
    uint64_t ended;
  };
  [[nodiscard]] Look look() const {
    const std::lock_guard lock(lock_);
    return {now_, ended_};
  }
  [[nodiscard]] bool any() const { return look().now != 0; }

  // Whether a thread has had anything in hand at any moment since `before`.
  [[nodiscard]] bool any_since(Look before) const {
    const Look after = look();
    return before.now != 0 || after.now != 0 || after.ended != before.ended;
  }

  // Waits until it has ended once more since `before`.
  void await_one_more(Look before) const {
    std::unique_lock lock(lock_);
    one_ended_.wait(lock, [&] { return ended_ != before.ended; });
  }

  // Waits until no thread has anything in hand.
  void await_none() const {
    std::unique_lock lock(lock_);
    one_ended_.wait(lock, [this] { return now_ == 0; });
  }

 private:
  mutable std::mutex lock_;
  mutable std::condition_variable one_ended_;
  uint32_t now_ = 0;
  uint64_t ended_ = 0;
};

}  // namespace slabpool
