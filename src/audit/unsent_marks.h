#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "audit/database.h"
#include "model/ids.h"

namespace diskrelease {

class SharedRegion;

/// Marks on attempts whose requests have certainly not left, in memory that outlives the process
/// but not the boot of the machine (tmpfs). After a kill -9 they tell recovery which of the intents
/// that were waiting for their time or for a connection have never been sent.
///
/// A mark is taken exactly once: by the sender, just before the first byte may leave, or by
/// recovery, which may record the attempt as not sent then. So both are never true, even where
/// somebody has removed the lock file and two processes work on one database.
///
/// Nothing is proved but by a mark. Where there is none - after a power cut or in another
/// container, on a file of another user, for a copy of the database - an open attempt is unknown as
/// ever.
class UnsentMarks {
 public:
  /// Where Linux has a tmpfs that all processes of a machine share.
  static constexpr const char* k_folder = "/dev/shm";

  /// A new file for an invocation whose beginning is on record, in place of an earlier one, with
  /// room for `most_open` attempts that are open at once. nullptr where it cannot be had: then
  /// nothing can be proved, and nothing else is lost.
  [[nodiscard]] static std::unique_ptr<UnsentMarks> begin(
      Database& database, InvocationId invocation, std::size_t most_open,
      const std::filesystem::path& folder = k_folder);
  /// What an earlier process has left; nullptr where there is nothing that can be believed.
  [[nodiscard]] static std::unique_ptr<UnsentMarks> find(
      Database& database, const std::filesystem::path& folder = k_folder);

  /// The file of a database, named by its chain and by the file that it is: a copy has another one.
  /// Empty while there is no chain.
  [[nodiscard]] static std::filesystem::path file_of(
      Database& database, const std::filesystem::path& folder = k_folder);

  ~UnsentMarks();
  UnsentMarks(const UnsentMarks&) = delete;
  UnsentMarks& operator=(const UnsentMarks&) = delete;

  /// One of the places for marks. Of one thread at a time, the one that holds and clears.
  using Place = std::uint32_t;
  static constexpr Place k_nowhere = UINT32_MAX;

  /// Marks an attempt. k_nowhere when all places are in use: it has no mark then.
  [[nodiscard]] Place hold(AttemptId attempt) noexcept;
  /// Whatever has become of the mark: the attempt's outcome is durable. k_nowhere is no mistake.
  void clear(Place place) noexcept;

  /// Thread-safe. False when somebody else has taken the mark. k_nowhere has nothing to be taken.
  [[nodiscard]] bool take(Place place, AttemptId attempt) noexcept;
  /// Whether this attempt of this invocation had a mark, which is taken with it.
  [[nodiscard]] bool take(InvocationId invocation, AttemptId attempt) noexcept;

  /// Removes the file: no attempt is open. Destruction leaves it.
  void remove() noexcept;

 private:
  UnsentMarks(std::filesystem::path file, std::unique_ptr<SharedRegion> region);

  std::filesystem::path file_;
  std::unique_ptr<SharedRegion> region_;
  std::span<std::int64_t> places_;  ///< attempt ids in *region_; 0 = no mark
  std::vector<Place> free_;
};

}  // namespace diskrelease
