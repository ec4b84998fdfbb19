#include <gtest/gtest.h>
#include <sqlite3.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "coordination/sqlite_claims.h"
#include "store/database.h"
#include "support/enrolled_run.h"
#include "support/faulty_vfs.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

ClaimKey key(int number) { return {disk_id("disk-" + std::to_string(number))}; }

/// A session whose storage fails at each operation in turn. What it was granted has to be refused
/// to another database afterwards.
class ClaimsFaultTest : public ::testing::Test {
 protected:
  static constexpr int k_pages = 4;
  static constexpr int k_page = 3;

  static ClaimHolder holder(const std::string& id) {
    return {id, "/data/" + id + ".db", RunId{1}, "joe", "db1", 1, k_test_time};
  }

  /// What was granted to the session and not given back.
  static std::set<int> claim_some(const ClaimsPlace& place) {
    std::set<int> granted;
    try {
      SqliteClaims claims(place, "account", holder("one"));
      for (int page = 0; page < k_pages; ++page) {
        std::vector<ClaimKey> keys;
        for (int i = 0; i < k_page; ++i) keys.push_back(key(page * k_page + i));
        static_cast<void>(claims.claim_page(keys, k_test_time));
        for (int i = 0; i < k_page; ++i) granted.insert(page * k_page + i);
        granted.erase(page * k_page);
        claims.change(std::vector<ClaimChange>{{key(page * k_page), std::nullopt},
                                               {key(page * k_page + 1), ClaimState::accepted}},
                      k_test_time);
      }
    } catch (const ClaimsUnusable&) {
      // That is what it has to say.
    }
    return granted;
  }

  static void sweep(const std::function<Fault(std::int64_t)>& fault) {
    bool granted_any = false;
    for (std::int64_t number = 1; number < 10'000; ++number) {
      const TemporaryDirectory directory;
      const ClaimsPlace place{directory / "claims", false};
      FaultyVfs vfs(FaultyVfs::Syncs::skipped);
      vfs.arm(fault(number));
      const std::set<int> granted = claim_some(place);
      const bool happened = vfs.fault_happened();
      // Whatever ended the session, the machine goes down in the end.
      vfs.cut_power();
      vfs.restart();
      SqliteClaims other(place, "account", holder("two"));
      for (const int disk : granted) {
        EXPECT_TRUE(other.claim_page(std::vector{key(disk)}, k_test_time).at(0))
            << disk << " with the fault at operation " << number;
        granted_any = true;
      }
      if (!happened) {
        EXPECT_EQ(granted.size(), static_cast<std::size_t>(k_pages * (k_page - 1)));
        break;
      }
      if (HasFailure()) break;
    }
    EXPECT_TRUE(granted_any);
  }
};

TEST_F(ClaimsFaultTest, WhatWasGrantedSurvivesAPowerCutBeforeAnyOperation) {
  sweep([](std::int64_t number) {
    return Fault{.operation = std::nullopt, .number = number, .effect = Fault::Effect::cut_power};
  });
}

TEST_F(ClaimsFaultTest, WhatWasGrantedSurvivesTornWrites) {
  sweep([](std::int64_t number) {
    return Fault{
        .operation = FileOperation::write,
        .number = number,
        .effect = Fault::Effect::cut_power,
        .torn = number % 2 == 0 ? Fault::Torn::first_half : Fault::Torn::all_but_last_sector,
        .survivors_seed = static_cast<std::uint64_t>(number)};
  });
}

TEST_F(ClaimsFaultTest, NothingIsGrantedWhenASyncFailsOrTheDiskIsFull) {
  for (const auto& [operation, code] : std::initializer_list<std::pair<FileOperation, int>>{
           {FileOperation::sync, SQLITE_IOERR_FSYNC}, {FileOperation::write, SQLITE_FULL}}) {
    sweep([&](std::int64_t number) {
      return Fault{.operation = operation, .number = number, .code = code, .lasting = true};
    });
  }
}

TEST_F(ClaimsFaultTest, WhatWasGrantedSurvivesAKill) {
  sweep([](std::int64_t number) {
    return Fault{.operation = std::nullopt, .number = number, .effect = Fault::Effect::kill};
  });
}

}  // namespace
}  // namespace diskrelease
