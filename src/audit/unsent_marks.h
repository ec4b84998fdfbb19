#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "audit/database.h"
#include "model/ids.h"
#include "platform/host.h"

namespace diskrelease {

/// Marks on attempts whose requests have certainly not left, in memory that outlives the process
/// but not the boot of the machine (a file on a tmpfs). After a kill -9 they tell recovery which of
/// the intents that were waiting for their time or for a connection have never been sent.
///
/// A mark is taken once: by the sender, just before the first byte may leave, or by recovery, which
/// may then record the attempt as not sent. So what is recorded as not sent does not leave later,
/// even where somebody has removed the lock file and two processes work on one database.
///
/// Nothing is proved but by a mark. Where there is none - after a power cut, in another container,
/// as another user - an open attempt is unknown as ever. Marks are found for the database file that
/// they were made for, and only while its chain holds what they began with: not for a copy, nor for
/// an older state or a descendant of one in its place.
class UnsentMarks {
 public:
  /// Two senders at most, and as many attempts whose outcome is about to become durable.
  static constexpr std::size_t k_places_a_lane = 4;

  /// A new file for an invocation whose beginning is the end of the chain, in place of an earlier
  /// one, with room for so many attempts. nullptr where it cannot be had: then nothing can be
  /// proved, and nothing else is lost.
  [[nodiscard]] static std::unique_ptr<UnsentMarks> begin(
      Database& database, InvocationId invocation, std::size_t places,
      const std::filesystem::path& folder = memory_directory());
  /// What an earlier process has left; nullptr where there is nothing that can be believed.
  [[nodiscard]] static std::unique_ptr<UnsentMarks> find(
      Database& database, const std::filesystem::path& folder = memory_directory());

  /// The file of a database, for this user. Empty while there is no chain.
  [[nodiscard]] static std::filesystem::path file_of(
      Database& database, const std::filesystem::path& folder = memory_directory());

  ~UnsentMarks();
  UnsentMarks(const UnsentMarks&) = delete;
  UnsentMarks& operator=(const UnsentMarks&) = delete;

  /// One of the places for marks. hold() and clear() are for one thread.
  using Place = std::uint32_t;
  static constexpr Place k_nowhere = UINT32_MAX;

  /// Marks an attempt. k_nowhere when all places are in use: it has no mark then.
  [[nodiscard]] Place hold(AttemptId attempt) noexcept;
  /// Makes the place free, whatever has become of the mark: the attempt's outcome is durable.
  void clear(Place place) noexcept;

  /// Thread-safe. False when recovery has taken the mark. k_nowhere has nothing to be taken.
  [[nodiscard]] bool take(Place place, AttemptId attempt) noexcept;
  /// For recovery: whether the mark of this attempt was there, and is taken with that. Says so
  /// again when it is asked again: what recovery records may have to be recorded once more.
  [[nodiscard]] bool claim(InvocationId invocation, AttemptId attempt) noexcept;

  /// Removes the file: no attempt is open. Destruction leaves it.
  void remove() noexcept;

 private:
  struct Memory;
  UnsentMarks(std::filesystem::path file, std::unique_ptr<Memory> memory);

  std::filesystem::path file_;
  std::unique_ptr<Memory> memory_;
  /// In the memory: the id of an attempt that has its mark, 0 for none, an id below zero for a mark
  /// that recovery has claimed.
  std::span<std::int64_t> places_;
  std::vector<Place> free_;
};

}  // namespace diskrelease
