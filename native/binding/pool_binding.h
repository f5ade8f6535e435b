// PoolBinding: a pool as one environment's JavaScript sees it. Checks arguments, has no logic.
#pragma once

#include <napi.h>

#include "core/pool/pool.h"
#include "environment.h"
#include "membership.h"
#include "views.h"

namespace slabpool {

class PoolBinding : public Napi::ObjectWrap<PoolBinding> {
 public:
  static Napi::Function define(Napi::Env env);

  // new Pool(onNotify: () => void, capacities: Uint32Array, maxBytes: number, epochMs: number, minBytes: number), or of a
  // pool that there is:
  // new Pool(onNotify, slot: number, serial: number)
  explicit PoolBinding(const Napi::CallbackInfo& info);

  ~PoolBinding() override;

  // nullptr: the value is no Pool of this addon.
  static PoolBinding* from(Napi::Env env, Napi::Value value);

  // For channels of this pool. Empty once closed.
  [[nodiscard]] Membership& membership() { return pool_; }

 private:
  static constexpr napi_type_tag kTypeTag{0x7c1f6a0e52b84d93, 0xa5e3d2184f6b07c9};

  // 2^46 bytes: half of what a process can address; sums of a few budgets stay exact in a double.
  static constexpr double kMaxBudget = 70368744177664.0;

  static void on_environment_exit(void* self);

  // Under the lock of the pool's queue, so never after leave().
  static void wake(void* waker);

  void leave(Departure departure);

  bool create(const Napi::CallbackInfo& info);

  bool join(const Napi::CallbackInfo& info);

  // 0 once closed.
  [[nodiscard]] uint32_t classes() const;

  // The argument as an integer below `bound`, or a pending TypeError.
  bool argument(napi_env env, napi_value given, uint32_t bound, uint32_t* value);

  // As JavaScript sees it: 0, or below.
  static int32_t status(Status status);

  // refill(sizeClass): how many blocks are in `exchange`, or a negative status. The first block is leased at once. And
  // the step, and how many KiB of idle blocks were given back for it.
  napi_value refill(const HotCall& call);

  // warm(sizeClass, count): how many free blocks with memory there are now; fewer than `count`: how many there could
  // be, and nothing was done; or a negative status. And step slab, if address space was carved for them.
  Napi::Value warm(const Napi::CallbackInfo& info);

  // takeFree(sizeClass, most): so many of them are in `exchange`, and this thread holds them.
  Napi::Value take_free(const Napi::CallbackInfo& info);

  // flush(sizeClass, count): gives back the first `count` blocks of `exchange`. Negative: a status. 1: somebody waits
  // for budget. 2: the thread has a flush request. 3: both.
  napi_value flush(const HotCall& call);

  // publishCounters(sizeClass): of a magazine, in `exchange`: leases since the last time (low and high word), and blocks in it
  // now.
  Napi::Value publish_counters(const Napi::CallbackInfo& info);

  // wait(sizeClass, most): the number of a request that waits, or a negative status: no memory, or `most` wait already.
  Napi::Value wait(const Napi::CallbackInfo& info);

  // cancel(number): false when it has been served.
  Napi::Value cancel(const Napi::CallbackInfo& info);

  // collect(): the number of a request that was served, its block and class in `exchange`; negative: there is no memory
  // for it. 0: none was served.
  Napi::Value collect(const Napi::CallbackInfo& info);

  // Requests that wait, of all threads.
  Napi::Value waiting(const Napi::CallbackInfo& info);

  // takeFlushRequest(): the flush request of this thread, once.
  Napi::Value take_flush_request(const Napi::CallbackInfo& info);

  // requestFlush(what): all other threads of the pool are asked to.
  Napi::Value request_flush(const Napi::CallbackInfo& info);

  // drain(), draining and drained: see Pool.
  Napi::Value drain(const Napi::CallbackInfo& info);
  Napi::Value draining(const Napi::CallbackInfo& info);
  Napi::Value drained(const Napi::CallbackInfo& info);

  Napi::Value count_refusal(const Napi::CallbackInfo& info);

  // areCold(count): of the first `count` blocks of `exchange`, those without pages just now, put first; how many.
  Napi::Value are_cold(const Napi::CallbackInfo& info);

  // othersMayServe: whether anything may serve this thread's requests of which it is not the cause itself.
  Napi::Value others_may_serve(const Napi::CallbackInfo& info);

  // batch(sizeClass): blocks in a full batch.
  Napi::Value batch(const Napi::CallbackInfo& info);

  // holds(sizeClass, block): whether this thread holds the block.
  napi_value holds(const HotCall& call);

  // map(sizeClass, block): a Buffer over the block's `capacity` bytes.
  napi_value map(const HotCall& call);

  // reclaim(sizeClass, block, bytes: Buffer): 0 if these are the very bytes of a block that this thread holds, 1 if
  // not; or a negative status.
  napi_value reclaim(const HotCall& call);

  // detach(buffer: ArrayBuffer, block): what map() or reclaim() was about last has a length of 0 from now on.
  Napi::Value detach(const Napi::CallbackInfo& info);

  // retire(sizeClass, block)
  Napi::Value retire(const Napi::CallbackInfo& info);

  // age(): bytes given back to the OS.
  Napi::Value age(const Napi::CallbackInfo& info);

  // trim(cause): bytes given back to the OS.
  Napi::Value trim(const Napi::CallbackInfo& info);

  // trimSoon(): by the janitor.
  Napi::Value trim_soon(const Napi::CallbackInfo& info);

  // stats(into: Float64Array): per class kStatsFields numbers in the order of ClassStats, bytes for blocks.
  Napi::Value stats(const Napi::CallbackInfo& info);

  // totals(): a Float64Array in the order of PoolStats.
  Napi::Value totals(const Napi::CallbackInfo& info);

  // threads(): a Float64Array for each thread, in the order of ThreadStats, and whether it is this one.
  Napi::Value threads(const Napi::CallbackInfo& info);

  // inFlight(): a Float64Array for each sender: its index (-1: channels), how many, the milliseconds of the oldest, 1:
  // this thread.
  Napi::Value in_flight(const Napi::CallbackInfo& info);

  // residentBytes: what the budget is charged now.
  Napi::Value resident_bytes(const Napi::CallbackInfo& info);

  // pressure(): of memory, as everybody in the process sees it.
  Napi::Value pressure(const Napi::CallbackInfo& info);

  // checkInvariants(): null, or what is wrong. For tests.
  Napi::Value check_invariants(const Napi::CallbackInfo& info);

  // isLike(capacities: Uint32Array, maxBytes: number): whether the pool was made with these.
  Napi::Value is_like(const Napi::CallbackInfo& info);

  // slot, serial: what another environment joins the pool by.
  Napi::Value slot(const Napi::CallbackInfo& info);
  Napi::Value serial(const Napi::CallbackInfo& info);

  // transfer(sizeClass, block, size): a ticket, or a negative status.
  napi_value transfer(const HotCall& call);

  // adopt(ticket): 0, and the block, its class and its size in `exchange`; or a negative status.
  napi_value adopt(const HotCall& call);

  // close(): ends this environment's membership; the pool's other methods throw from now on.
  Napi::Value close(const Napi::CallbackInfo& info);

  static constexpr double kMaxInteger = 9007199254740992.0;  // 2^53: whole numbers below it are exact
  static constexpr uint32_t kStatsFields = 14 + kSteps;

  Environment* const environment_;
  Membership pool_;
  Views::Owner views_ = Views::create();
  napi_threadsafe_function waker_ = nullptr;
};

}  // namespace slabpool
