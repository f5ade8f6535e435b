#include "fuzz.h"

#include <cstdlib>
#include <map>
#include <set>

#include "client.h"

namespace slabpool::test {
namespace {

#define EXPECT(condition) expect(condition, __LINE__, #condition)
void expect(bool ok, int line, const char* what) {
  if (ok) return;
  std::printf("  fuzz.cc:%d: %s\n", line, what);
  std::fflush(stdout);
  std::abort();  // fuzzers look for crashes
}

// The input, as if zeros followed it without end.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), end_(data + size) {}
  [[nodiscard]] bool empty() const { return data_ == end_; }
  uint8_t byte() { return data_ == end_ ? uint8_t{0} : *data_++; }
  uint32_t below(uint32_t bound) { return byte() % bound; }

 private:
  const uint8_t* data_;
  const uint8_t* end_;
};

// What the pool's promises add up to, kept the plainest way.
struct ModelBlock {
  enum { cached, held, in_flight, quarantined, retired } state;
  uint32_t size_class;
  size_t holder;        // client, while held
  uint32_t generation;  // of its ticket, while in flight
  char* address;
};

class Fuzzer {
 public:
  explicit Fuzzer(Input input) : input_(input) {
    static const std::vector<uint32_t> kTiers[] = {{100, 1000}, {1000, 4096, 20'000}, {4096, 8192}, {64, 65'536}};
    static constexpr uint64_t kBudgets[] = {4 * kKiB, 40 * kKiB, 300'000, 2 * kMiB};
    const std::vector<uint32_t>& tiers = kTiers[input_.below(4)];
    // Quarantine is for ever or not at all: time is not the input's to spell.
    quarantines_for_ever_ = input_.below(2) != 0;
    pool_ = make_pool(tiers, kBudgets[input_.below(4)], quarantines_for_ever_ ? UINT32_MAX : 0);
    EXPECT(pool_ != nullptr);
    counts_.resize(tiers.size());
    clients_.emplace_back(*pool_);
  }

  void run() {
    while (!input_.empty()) {
      switch (input_.below(12)) {
        case 0:
          if (clients_.size() < 4) clients_.emplace_back(*pool_);
          break;
        case 1:
        case 2:
        case 3:
          refill(any_client(), any_class());
          break;
        case 4:
        case 5:
          flush(any_client(), any_class());
          break;
        case 6:
          retire(any_client(), any_class());
          break;
        case 7:
        case 8:
          transfer(any_client(), any_class());
          break;
        case 9:
          adopt(any_client());
          break;
        case 10:
          detach(any_client());
          break;
        default:
          age();
      }
      check();
    }
    EXPECT(pool_->check_invariants() == nullptr);
  }

 private:
  struct Counts {
    uint64_t held = 0;
    uint64_t in_flight = 0;
    uint64_t quarantined = 0;  // only where that is for ever: else the pool may free them at any time
    uint64_t retired = 0;
  };

  size_t any_client() { return input_.below(static_cast<uint32_t>(clients_.size())); }
  uint32_t any_class() { return input_.below(pool_->class_count()); }
  // Mostly blocks that have been seen, held or not; sometimes no block at all.
  uint32_t any_block() {
    const uint32_t byte = input_.byte();
    return byte == 255 ? kNoIndex - input_.byte() : (byte << 4 | input_.below(16)) % (highest_ + 3);
  }

  bool holds(size_t client, uint32_t c, uint32_t block) const {
    const auto found = blocks_.find(block);
    return found != blocks_.end() && found->second.state == ModelBlock::held && found->second.holder == client &&
           found->second.size_class == c;
  }

  // The pages of all blocks that nobody can be refilled with.
  [[nodiscard]] std::set<uintptr_t> held_pages() const {
    std::set<uintptr_t> pages;
    for (const auto& [b, block] : blocks_) {
      if (block.state == ModelBlock::cached) continue;
      const auto from = reinterpret_cast<uintptr_t>(block.address);
      const auto to = from + pool_->size_class(block.size_class).stride;
      for (uintptr_t page = from / os::page_size(); page * os::page_size() < to; ++page) pages.insert(page);
    }
    return pages;
  }

  void refill(size_t client, uint32_t c) {
    const SizeClass& k = pool_->size_class(c);
    const ClassStats before = pool_->stats(c);
    // What is in quarantine is as good as cached where that takes no time.
    const bool cached = before.resident != before.held + before.in_flight + counts_[c].quarantined + before.retired;
    const uint64_t room = pool_->budget().max() - held_pages().size() * os::page_size();
    Blocks got;
    const Status status = clients_[client].refill(c, got);
    if (cached || room >= k.least_bytes()) {
      EXPECT(status == Status::ok);
    } else if (room < os::page_size() && !k.shares_pages()) {
      EXPECT(status == Status::exhausted);
    } else {  // a block may lie on pages that others need
      EXPECT(status == Status::ok || status == Status::exhausted);
    }
    for (const uint32_t b : got) {
      char* const address = pool_->address(b);
      const auto [at, fresh] = blocks_.try_emplace(b, ModelBlock{ModelBlock::cached, c, 0, 0, address});
      ModelBlock& block = at->second;
      EXPECT(block.state == ModelBlock::cached);
      EXPECT(block.size_class == c && block.address == address);
      EXPECT(!fresh || address[0] == 0);
      block.state = ModelBlock::held;
      block.holder = client;
      mark(b, block);
      highest_ = std::max(highest_, b);
    }
    counts_[c].held += got.size();
  }

  void flush(size_t client, uint32_t c) {
    Blocks blocks;
    if (input_.below(2) == 0) {  // all that the client holds of a class, as a thread that ends
      for (const auto& [b, block] : blocks_) {
        if (holds(client, c, b) && blocks.size() < kMaxBatch) blocks.push_back(b);
      }
    }
    for (uint32_t n = input_.below(8); n != 0 && blocks.size() < kMaxBatch; --n) blocks.push_back(any_block());

    Status expected = Status::ok;
    for (const uint32_t b : blocks) {
      if (holds(client, c, b)) {
        check_mark(b);
        blocks_[b].state = ModelBlock::cached;
        --counts_[c].held;
      } else {
        expected = Status::not_held;
      }
    }
    EXPECT(clients_[client].flush(c, blocks) == expected);
  }

  void retire(size_t client, uint32_t c) {
    const uint32_t b = any_block();
    const bool held = holds(client, c, b);
    EXPECT(pool_->retire(*clients_[client].member, c, b) == (held ? Status::ok : Status::not_held));
    if (!held) return;
    blocks_[b].state = ModelBlock::retired;
    --counts_[c].held;
    ++counts_[c].retired;
  }

  void transfer(size_t client, uint32_t c) {
    const uint32_t b = any_block();
    const bool held = holds(client, c, b);
    uint32_t generation = 0;
    EXPECT(pool_->transfer(*clients_[client].member, c, b, Carrier::ticket, generation) ==
           (held ? Status::ok : Status::not_held));
    if (!held) return;
    check_mark(b);
    blocks_[b].state = ModelBlock::in_flight;
    blocks_[b].generation = generation;
    tickets_.push_back({b, generation});
    --counts_[c].held;
    ++counts_[c].in_flight;
  }

  // By a ticket that was given out, which may have been used, or by one that is made up.
  void adopt(size_t client) {
    std::pair<uint32_t, uint32_t> ticket{any_block(), input_.byte()};
    if (!tickets_.empty() && input_.below(4) != 0) ticket = tickets_[input_.byte() % tickets_.size()];
    const auto [b, generation] = ticket;
    const auto found = blocks_.find(b);
    const bool good = found != blocks_.end() && found->second.state == ModelBlock::in_flight &&
                      found->second.generation == generation;
    EXPECT(clients_[client].adopt(b, generation) == (good ? Status::ok : Status::stale));
    if (!good) return;
    ModelBlock& block = found->second;
    check_mark(b);
    block.state = ModelBlock::held;
    block.holder = client;
    --counts_[block.size_class].in_flight;
    ++counts_[block.size_class].held;
  }

  // The thread ends, and another takes its place.
  void detach(size_t client) {
    // When abandoned tickets are recalled is not the model's to say: transfer_test.cc and detach_test.cc have that.
    bool sent = false;
    for (const auto& [b, block] : blocks_) sent |= block.state == ModelBlock::in_flight && block.holder == client;
    for (auto& [b, block] : blocks_) {
      if (block.state != ModelBlock::held || block.holder != client) continue;
      check_mark(b);
      block.state = quarantines_for_ever_ ? ModelBlock::quarantined : ModelBlock::cached;
      --counts_[block.size_class].held;
      if (quarantines_for_ever_) ++counts_[block.size_class].quarantined;
    }
    const uint16_t index = clients_[client].member->index;
    clients_[client].detach(sent ? Departure::clean_exit : Departure::abandoned);
    clients_[client].member = pool_->attach();
    EXPECT(clients_[client].member != nullptr && clients_[client].member->index == index);
  }

  void age() {
    const uint64_t used = pool_->budget().used();
    EXPECT(pool_->age() == used - pool_->budget().used());
    for (const auto& [b, block] : blocks_) {
      if (block.state == ModelBlock::held || block.state == ModelBlock::in_flight ||
          block.state == ModelBlock::quarantined) {
        check_mark(b);
      }
    }
  }

  void check() {
    EXPECT(pool_->budget().used() <= pool_->budget().max());
    for (uint32_t c = 0; c < pool_->class_count(); ++c) {
      const ClassStats stats = pool_->stats(c);
      EXPECT(stats.held == counts_[c].held && stats.retired == counts_[c].retired);
      EXPECT(stats.in_flight == counts_[c].in_flight &&
             (!quarantines_for_ever_ || stats.quarantined == counts_[c].quarantined));
      EXPECT(stats.resident >= stats.held + stats.in_flight + stats.quarantined + stats.retired);
      EXPECT(stats.carved >= stats.resident);
      EXPECT(stats.resident_bytes == stats.resident * pool_->size_class(c).stride + stats.pinned_bytes);
    }
  }

  // The first and the last byte of a block say which it is: overlaps and lost pages show.
  void mark(uint32_t b, const ModelBlock& block) {
    block.address[0] = block.address[pool_->size_class(block.size_class).capacity - 1] = static_cast<char>(b | 1);
  }
  void check_mark(uint32_t b) {
    const ModelBlock& block = blocks_[b];
    EXPECT(block.address[0] == static_cast<char>(b | 1));
    EXPECT(block.address[pool_->size_class(block.size_class).capacity - 1] == static_cast<char>(b | 1));
  }

  Input input_;
  std::unique_ptr<Pool> pool_;
  std::vector<Client> clients_;
  std::map<uint32_t, ModelBlock> blocks_;  // all that were ever handed out
  std::vector<Counts> counts_;
  std::vector<std::pair<uint32_t, uint32_t>> tickets_;  // {block, generation}: all that were given out
  bool quarantines_for_ever_ = false;
  uint32_t highest_ = 0;
};

}  // namespace
}  // namespace slabpool::test

int fuzz_one(const uint8_t* data, size_t size) {
  slabpool::test::Fuzzer(slabpool::test::Input(data, size)).run();
  return 0;
}
