#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "model/ids.h"
#include "platform/host.h"
#include "store/database.h"

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
/// they were made for, as long as its chain holds the block that they began with: not for a copy,
/// nor for a state from before they began or what has become of one.
class UnsentMarks {
 public:
  /// Two senders at most, and as many attempts that ended unsent and are about to be recorded so.
  static constexpr std::size_t k_places_a_lane = 4;

  /// A new file for an invocation that is on record, in place of an earlier one, with room for so
  /// many marks. nullptr where it cannot be had: then nothing can be proved, and nothing else is
  /// lost.
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

  /// For the process that has begun them; by one thread at a time. When all places are in use the
  /// attempt gets no mark.
  void hold(AttemptId attempt) noexcept;
  /// What ended unsent is on record as such, so that its place is free.
  void clear(AttemptId attempt) noexcept;

  /// Whether its request may leave: the mark is taken, or there was none. False when recovery has
  /// claimed it. Thread-safe; once for each attempt.
  [[nodiscard]] bool take(AttemptId attempt) noexcept;
  /// For recovery: whether the mark of this attempt was there, and is taken with that. Says so
  /// again when it is asked again: what recovery records may have to be recorded once more.
  [[nodiscard]] bool claim(InvocationId invocation, AttemptId attempt) noexcept;

  /// Removes the file: nothing is left to be proved. Destruction leaves it.
  void remove() noexcept;

 private:
  struct Memory;
  UnsentMarks(std::filesystem::path file, std::unique_ptr<Memory> memory);

  /// The place that holds `value`; nullptr where none does. Places are tried from the one on that
  /// the attempt has when none is in use, which nearly always is the right one.
  [[nodiscard]] std::int64_t* find_place(AttemptId attempt, std::int64_t value) const noexcept;

  std::filesystem::path file_;
  std::unique_ptr<Memory> memory_;
  /// In the memory: the id of an attempt that has its mark, 0 for none, an id below zero for a mark
  /// that recovery has claimed.
  std::span<std::int64_t> places_;
};

}  // namespace diskrelease
