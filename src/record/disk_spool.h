#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/scratch_file.h"

namespace diskrelease {

/// Disk ids with a number each, in the order in which they were added, outside memory where they
/// are many. A disk id has at most 255 bytes. Not thread-safe; throws AuditUnusable when the
/// temporary file fails.
class DiskSpool {
 public:
  void add(std::string_view disk, std::int64_t number);
  /// Where the next record goes.
  [[nodiscard]] std::int64_t end() const noexcept { return file_.size(); }

  /// Reads records one by one. The spool must outlive it, and must not grow meanwhile.
  class Reader {
   public:
    static constexpr std::size_t k_usual_buffer = 64 * 1024;

    /// Records that begin at `begin` or later and before `end`. `buffer` bytes of memory, at least
    /// 1024.
    Reader(const DiskSpool& spool, std::int64_t begin, std::int64_t end,
           std::size_t buffer = k_usual_buffer);
    /// False = there is none left.
    bool next();
    /// Of the present record; valid until the next call of next().
    [[nodiscard]] std::string_view disk() const noexcept { return disk_; }
    [[nodiscard]] std::int64_t number() const noexcept { return number_; }

   private:
    const DiskSpool* spool_;
    std::int64_t offset_;  ///< of what follows the buffer
    std::int64_t end_;
    std::vector<char> buffer_;
    std::size_t filled_ = 0;
    std::size_t at_ = 0;
    std::string_view disk_;
    std::int64_t number_ = 0;
  };

 private:
  ScratchFile file_;
};

/// Sorts disk ids with a number each: by disk, in the order of their bytes as SQLite has it, then
/// by number. Sorts pieces of half a megabyte in memory and merges them; what it keeps in memory
/// grows with their number by less than half a megabyte a million.
class DiskSorter {
 public:
  DiskSorter();

  void add(std::string_view disk, std::int64_t number);
  /// Calls `sink` for each in order. Call once, after the last add().
  void sort(const std::function<void(std::string_view disk, std::int64_t number)>& sink);

 private:
  /// Where a record lies in piece_, and the first bytes after those that all of the piece share.
  struct Entry {
    std::uint64_t key;
    std::uint32_t offset;
    std::uint32_t length;
  };
  struct Piece {
    std::int64_t begin;
    std::int64_t end;
  };

  [[nodiscard]] std::string_view disk_at(const Entry& entry) const noexcept;
  [[nodiscard]] std::int64_t number_at(const Entry& entry) const noexcept;
  void sort_piece();
  void put_piece_aside();
  void merge(const std::function<void(std::string_view disk, std::int64_t number)>& sink);

  std::string piece_;
  std::vector<Entry> entries_;
  std::size_t shared_ = 0;  ///< bytes with which all disk ids of the piece begin
  DiskSpool spool_;
  std::vector<Piece> pieces_;
};

}  // namespace diskrelease
