#pragma once

#include <cstdint>
#include <memory>
#include <optional>

namespace diskrelease {

/// What a FaultyVfs counts, each kind by itself.
enum class FileOperation {
  open,
  read,
  write,
  truncate,
  sync,
  remove,  ///< of a file
  lock,    ///< of the file or, in WAL mode, in the shared memory; releasing is not counted
  map,     ///< of a part of the shared memory
};
inline constexpr int k_file_operations = 8;

/// One thing that goes wrong, at one operation.
struct Fault {
  enum class Effect {
    fail,       ///< returns `code`; the file stays as it is
    kill,       ///< as FaultyVfs::kill(), before the operation
    cut_power,  ///< as FaultyVfs::cut_power(), before the operation
  };
  /// What a write that fails, or during which the process or the power ends, leaves in the file.
  /// Stays there even when what is unsynced is lost.
  enum class Torn {
    nothing,
    first_half,
    all_but_last_sector,  ///< whose bytes are garbage then
  };

  std::optional<FileOperation> operation =
      std::nullopt;         ///< nullopt: all kinds are counted together
  std::int64_t number = 1;  ///< from 1, since arm()
  Effect effect = Effect::fail;
  int code = 0;          ///< an SQLite result code, for Effect::fail
  bool lasting = false;  ///< every later operation of the kind fails too, for Effect::fail
  Torn torn = Torn::nothing;
  std::optional<std::uint64_t> survivors_seed = std::nullopt;  ///< as for FaultyVfs::cut_power()
};

/// A layer between SQLite and the file system that counts, fails and undoes operations on database
/// files: the database, its rollback journal, its write-ahead log, its shared memory. Temporary
/// files pass through.
///
/// While it lives it is SQLite's default VFS, so every connection opened meanwhile goes through it.
/// All of them have to be closed before it is destroyed. At most one lives at a time. Thread-safe,
/// but for construction and destruction.
///
/// What it takes for durable: what was written to a file before the last successful sync of that
/// file. Writes before a failed sync stay lost, whatever sync comes after it: Linux marks such
/// pages clean. A file is there for good after its first sync (SQLite syncs the folder then) and
/// gone for good when it is removed. After a kill, everything written is there.
///
/// Waits for locks take almost no time, so five seconds of them pass in milliseconds.
class FaultyVfs {
 public:
  enum class Syncs {
    real,
    skipped,  ///< counted, but the operating system is not asked: nothing is measured or survives
              ///< a crash of the test's own machine, and a simulation is fast
  };
  explicit FaultyVfs(Syncs syncs);
  ~FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  /// Counts from zero again, and lets this go wrong.
  void arm(const Fault& fault);
  /// Whether the armed fault has had its effect.
  [[nodiscard]] bool fault_happened() const;
  /// Operations since the construction or the last arm().
  [[nodiscard]] std::int64_t count(FileOperation operation) const;
  [[nodiscard]] std::int64_t count_all() const;

  /// As `kill -9`: every later operation fails, what was written stays.
  void kill();
  /// Every later operation fails, and what was written to each file since its last successful sync
  /// is undone. With a seed, a part of it drawn from the seed, sector by sector, stays: a disk may
  /// have written anything of it, in any order.
  void cut_power(std::optional<std::uint64_t> survivors_seed = std::nullopt);
  /// Operations work again, without a fault. After a cut the shared memory is gone, as after a
  /// boot. Precondition: the connections of the time before are closed; throws std::logic_error
  /// otherwise.
  void restart();

 private:
  struct Private;
  std::unique_ptr<Private> private_;
};

}  // namespace diskrelease
