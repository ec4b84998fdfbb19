#include "support/faulty_vfs.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <mutex>
#include <new>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace diskrelease {
namespace {

constexpr sqlite3_int64 k_sector = 512;
constexpr int k_longest_wait_us = 50;

/// A write or a truncation that a power cut may undo.
struct Change {
  sqlite3_int64 offset = 0;  ///< the new size, for a truncation
  std::vector<char> old_bytes;
  sqlite3_int64 old_size = 0;
  std::vector<char> new_bytes;
  bool is_truncation = false;
  bool is_durable = false;
};

/// What is known of one path.
struct FileRecord {
  bool was_created = false;  ///< since its last sync
  std::vector<Change> unsynced;
  std::size_t lost_for_good = 0;  ///< so many of them, from the first, no later sync makes durable
};

/// Access by path, for the time after the power cut, when SQLite's own handles may be closed.
/// Closing such a descriptor drops the locks of this process on the file; nobody needs them then.
class RawFile {
 public:
  explicit RawFile(const std::string& path)
      : descriptor_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    if (descriptor_ < 0) throw std::runtime_error("FaultyVfs cannot open " + path);
  }
  ~RawFile() { ::close(descriptor_); }
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;

  void write(const char* bytes, std::size_t length, sqlite3_int64 offset) const {
    require(::pwrite(descriptor_, bytes, length, offset) == static_cast<ssize_t>(length));
  }
  void resize(sqlite3_int64 size) const { require(::ftruncate(descriptor_, size) == 0); }

 private:
  static void require(bool done) {
    if (!done) throw std::runtime_error("FaultyVfs cannot restore a file");
  }
  int descriptor_;
};

}  // namespace

struct FaultyVfs::Private {
  // --- what SQLite sees -------------------------------------------------------------------------

  /// SQLite allocates it; the handle of the VFS beneath follows it in memory.
  struct ShimFile {
    sqlite3_file base;
    Private* owner;
    std::string* path;  ///< a key of records
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };

  explicit Private(Syncs how) : syncs(how), beneath(sqlite3_vfs_find(nullptr)), vfs(*beneath) {
    vfs.iVersion = std::min(vfs.iVersion, 2);
    vfs.szOsFile = static_cast<int>(sizeof(ShimFile)) + beneath->szOsFile;
    vfs.pNext = nullptr;
    vfs.zName = "faulty";
    vfs.pAppData = this;
    vfs.xOpen = open;
    vfs.xDelete = remove;
    vfs.xAccess = access;
    vfs.xSleep = sleep;
    // Version 2: without memory-mapped reading, which would pass by.
    methods.iVersion = 2;
    methods.xClose = close;
    methods.xRead = read;
    methods.xWrite = write;
    methods.xTruncate = truncate;
    methods.xSync = sync;
    methods.xFileSize = file_size;
    methods.xLock = lock;
    methods.xUnlock = unlock;
    methods.xCheckReservedLock = check_reserved_lock;
    methods.xFileControl = file_control;
    methods.xSectorSize = sector_size;
    methods.xDeviceCharacteristics = device_characteristics;
    methods.xShmMap = shm_map;
    methods.xShmLock = shm_lock;
    methods.xShmBarrier = shm_barrier;
    methods.xShmUnmap = shm_unmap;
    sqlite3_vfs_register(&vfs, 1);
  }

  ~Private() {
    sqlite3_vfs_unregister(&vfs);
    sqlite3_vfs_register(beneath, 1);
  }

  static Private& of(sqlite3_vfs* vfs) { return *static_cast<Private*>(vfs->pAppData); }
  static ShimFile& shim(sqlite3_file* file) { return *reinterpret_cast<ShimFile*>(file); }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags,
                  int* out_flags) {
    Private& self = of(vfs);
    constexpr int k_database_files = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL |
                                     SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    if (name == nullptr || (flags & k_database_files) == 0) {
      return self.beneath->xOpen(self.beneath, name, file, flags, out_flags);
    }
    file->pMethods = nullptr;
    const std::lock_guard lock(self.mutex);
    if (const int code = self.next(FileOperation::open); code != SQLITE_OK) return code;
    int existed = 0;
    self.beneath->xAccess(self.beneath, name, SQLITE_ACCESS_EXISTS, &existed);
    ShimFile& opened = shim(file);
    const int result = self.beneath->xOpen(self.beneath, name, opened.real(), flags, out_flags);
    if (result != SQLITE_OK) {
      if (opened.real()->pMethods != nullptr) opened.real()->pMethods->xClose(opened.real());
      return result;
    }
    if (existed == 0) self.records[name].was_created = true;
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0) self.databases.insert(name);
    opened.owner = &self;
    opened.path = new std::string(name);
    file->pMethods = &self.methods;
    ++self.open_files;
    return SQLITE_OK;
  }

  static int close(sqlite3_file* file) {
    ShimFile& closed = shim(file);
    const std::lock_guard lock(closed.owner->mutex);
    --closed.owner->open_files;
    delete closed.path;
    return closed.real()->pMethods->xClose(closed.real());
  }

  static int remove(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    Private& self = of(vfs);
    const std::lock_guard lock(self.mutex);
    if (const int code = self.next(FileOperation::remove); code != SQLITE_OK) return code;
    self.records.erase(name);
    return self.beneath->xDelete(self.beneath, name, sync_folder);
  }

  static int access(sqlite3_vfs* vfs, const char* name, int flags, int* result) {
    Private& self = of(vfs);
    const std::lock_guard lock(self.mutex);
    if (self.is_dead) return SQLITE_IOERR_ACCESS;
    return self.beneath->xAccess(self.beneath, name, flags, result);
  }

  static int sleep(sqlite3_vfs* vfs, int microseconds) {
    Private& self = of(vfs);
    self.beneath->xSleep(self.beneath, std::min(microseconds, k_longest_wait_us));
    return microseconds;
  }

  static int read(sqlite3_file* file, void* bytes, int length, sqlite3_int64 offset) {
    ShimFile& from = shim(file);
    const std::lock_guard lock(from.owner->mutex);
    if (const int code = from.owner->next(FileOperation::read); code != SQLITE_OK) return code;
    return from.real()->pMethods->xRead(from.real(), bytes, length, offset);
  }

  static int write(sqlite3_file* file, const void* bytes, int length, sqlite3_int64 offset) {
    ShimFile& to = shim(file);
    Private& self = *to.owner;
    const std::lock_guard lock(self.mutex);
    self.torn_write = {&to, static_cast<const char*>(bytes), length, offset};
    const int code = self.next(FileOperation::write);
    self.torn_write = {};
    return code == SQLITE_OK ? self.write_and_remember(to,
                                                       {static_cast<const char*>(bytes),
                                                        static_cast<const char*>(bytes) + length},
                                                       offset)
                             : code;
  }

  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    ShimFile& to = shim(file);
    Private& self = *to.owner;
    const std::lock_guard lock(self.mutex);
    if (const int code = self.next(FileOperation::truncate); code != SQLITE_OK) return code;
    Change change;
    change.is_truncation = true;
    change.offset = size;
    if (const int code = read_old(to, size, -1, change); code != SQLITE_OK) return code;
    const int result = to.real()->pMethods->xTruncate(to.real(), size);
    if (result == SQLITE_OK) self.records[*to.path].unsynced.push_back(std::move(change));
    return result;
  }

  static int sync(sqlite3_file* file, int flags) {
    ShimFile& of_file = shim(file);
    Private& self = *of_file.owner;
    const std::lock_guard lock(self.mutex);
    FileRecord& record = self.records[*of_file.path];
    int code = self.next(FileOperation::sync);
    if (code == SQLITE_OK && self.syncs == Syncs::real) {
      code = of_file.real()->pMethods->xSync(of_file.real(), flags);
    }
    if (self.is_dead) return code;
    if (code != SQLITE_OK) {
      record.lost_for_good = record.unsynced.size();
      return code;
    }
    record.was_created = false;
    if (record.lost_for_good == 0) {
      record.unsynced.clear();
    } else {
      for (std::size_t i = record.lost_for_good; i < record.unsynced.size(); ++i) {
        record.unsynced[i].is_durable = true;
      }
    }
    return SQLITE_OK;
  }

  static int file_size(sqlite3_file* file, sqlite3_int64* size) {
    ShimFile& of_file = shim(file);
    const std::lock_guard lock(of_file.owner->mutex);
    if (of_file.owner->is_dead) return SQLITE_IOERR_FSTAT;
    return of_file.real()->pMethods->xFileSize(of_file.real(), size);
  }

  static int lock(sqlite3_file* file, int level) {
    ShimFile& of_file = shim(file);
    const std::lock_guard lock(of_file.owner->mutex);
    if (const int code = of_file.owner->next(FileOperation::lock); code != SQLITE_OK) return code;
    return of_file.real()->pMethods->xLock(of_file.real(), level);
  }

  static int unlock(sqlite3_file* file, int level) {
    return shim(file).real()->pMethods->xUnlock(shim(file).real(), level);
  }

  static int check_reserved_lock(sqlite3_file* file, int* result) {
    return shim(file).real()->pMethods->xCheckReservedLock(shim(file).real(), result);
  }

  static int file_control(sqlite3_file* file, int operation, void* argument) {
    return shim(file).real()->pMethods->xFileControl(shim(file).real(), operation, argument);
  }

  static int sector_size(sqlite3_file* file) {
    return shim(file).real()->pMethods->xSectorSize(shim(file).real());
  }

  static int device_characteristics(sqlite3_file* file) {
    return shim(file).real()->pMethods->xDeviceCharacteristics(shim(file).real());
  }

  static int shm_map(sqlite3_file* file, int page, int page_size, int extend,
                     void volatile** memory) {
    ShimFile& of_file = shim(file);
    const std::lock_guard lock(of_file.owner->mutex);
    if (const int code = of_file.owner->next(FileOperation::map); code != SQLITE_OK) {
      *memory = nullptr;
      return code;
    }
    return of_file.real()->pMethods->xShmMap(of_file.real(), page, page_size, extend, memory);
  }

  static int shm_lock(sqlite3_file* file, int first, int count, int flags) {
    ShimFile& of_file = shim(file);
    const std::lock_guard lock(of_file.owner->mutex);
    if ((flags & SQLITE_SHM_UNLOCK) == 0) {
      if (const int code = of_file.owner->next(FileOperation::lock); code != SQLITE_OK) {
        return code;
      }
    }
    return of_file.real()->pMethods->xShmLock(of_file.real(), first, count, flags);
  }

  static void shm_barrier(sqlite3_file* file) {
    shim(file).real()->pMethods->xShmBarrier(shim(file).real());
  }

  static int shm_unmap(sqlite3_file* file, int and_delete) {
    ShimFile& of_file = shim(file);
    const std::lock_guard lock(of_file.owner->mutex);
    return of_file.real()->pMethods->xShmUnmap(of_file.real(),
                                               of_file.owner->is_dead ? 0 : and_delete);
  }

  // --- what goes wrong; all below is called with the mutex held ----------------------------------

  /// Counts an operation. Anything but SQLITE_OK: it fails with this code.
  int next(FileOperation operation) {
    if (is_dead) return code_of_the_dead(operation);
    const std::int64_t number = ++counts[static_cast<std::size_t>(operation)];
    ++all;
    if (!fault || (fault->operation && *fault->operation != operation)) return SQLITE_OK;
    const std::int64_t counted = fault->operation ? number : all;
    if (counted != fault->number && !(fault->lasting && counted > fault->number)) return SQLITE_OK;
    happened = true;
    if (torn_write.file != nullptr && fault->torn != Fault::Torn::nothing) tear();
    switch (fault->effect) {
      case Fault::Effect::fail:
        break;
      case Fault::Effect::kill:
        is_dead = true;
        return code_of_the_dead(operation);
      case Fault::Effect::cut_power:
        lose_power(fault->survivors_seed);
        return code_of_the_dead(operation);
    }
    // What SQLite tells as the system's error.
    errno = (fault->code & 0xFF) == SQLITE_FULL ? ENOSPC : EIO;
    return fault->code;
  }

  static int code_of_the_dead(FileOperation operation) {
    switch (operation) {
      case FileOperation::open:
        return SQLITE_CANTOPEN;
      case FileOperation::read:
        return SQLITE_IOERR_READ;
      case FileOperation::write:
        return SQLITE_IOERR_WRITE;
      case FileOperation::truncate:
        return SQLITE_IOERR_TRUNCATE;
      case FileOperation::sync:
        return SQLITE_IOERR_FSYNC;
      case FileOperation::remove:
        return SQLITE_IOERR_DELETE;
      case FileOperation::lock:
        return SQLITE_IOERR_LOCK;
      case FileOperation::map:
        return SQLITE_IOERR_SHMMAP;
    }
    return SQLITE_IOERR;
  }

  void tear() {
    const char* begin = torn_write.bytes;
    const char* end = begin + torn_write.length;
    std::vector<char> written;
    if (fault->torn == Fault::Torn::first_half) {
      written.assign(begin, begin + torn_write.length / 2);
    } else {
      written.assign(begin, end);
      const auto garbage = std::min<std::ptrdiff_t>(k_sector, torn_write.length);
      std::fill(written.end() - garbage, written.end(), '\xA5');
    }
    if (write_and_remember(*torn_write.file, std::move(written), torn_write.offset) == SQLITE_OK) {
      records[*torn_write.file->path].unsynced.back().is_durable = true;
    }
  }

  int write_and_remember(ShimFile& to, std::vector<char> bytes, sqlite3_int64 offset) {
    Change change;
    change.offset = offset;
    const auto length = static_cast<sqlite3_int64>(bytes.size());
    if (const int code = read_old(to, offset, length, change); code != SQLITE_OK) return code;
    change.new_bytes = std::move(bytes);
    const int result = to.real()->pMethods->xWrite(to.real(), change.new_bytes.data(),
                                                   static_cast<int>(length), offset);
    // Even of a write that the system has refused, a part may have got there.
    records[*to.path].unsynced.push_back(std::move(change));
    return result;
  }

  /// What stands at `offset`, as far as the file reaches; a negative length: to its end.
  static int read_old(ShimFile& from, sqlite3_int64 offset, sqlite3_int64 length, Change& change) {
    sqlite3_file* real = from.real();
    if (const int code = real->pMethods->xFileSize(real, &change.old_size); code != SQLITE_OK) {
      return code;
    }
    const sqlite3_int64 end =
        length < 0 ? change.old_size : std::min(change.old_size, offset + length);
    if (end <= offset) return SQLITE_OK;
    change.old_bytes.resize(static_cast<std::size_t>(end - offset));
    return real->pMethods->xRead(real, change.old_bytes.data(), static_cast<int>(end - offset),
                                 offset);
  }

  void lose_power(std::optional<std::uint64_t> survivors_seed) {
    is_dead = true;
    power_was_cut = true;
    std::optional<std::mt19937_64> survival;
    if (survivors_seed) survival.emplace(*survivors_seed);
    for (auto& [path, record] : records) restore(path, record, survival);
    records.clear();
  }

  /// Back to the last sync, then again what is durable or survives.
  static void restore(const std::string& path, const FileRecord& record,
                      std::optional<std::mt19937_64>& survival) {
    const bool has_torn_write = std::any_of(record.unsynced.begin(), record.unsynced.end(),
                                            [](const Change& change) { return change.is_durable; });
    if (record.was_created && !survival && !has_torn_write) {
      std::filesystem::remove(path);
      return;
    }
    if (record.unsynced.empty()) return;
    const RawFile file(path);
    for (auto change = record.unsynced.rbegin(); change != record.unsynced.rend(); ++change) {
      if (!change->old_bytes.empty()) {
        file.write(change->old_bytes.data(), change->old_bytes.size(), change->offset);
      }
      file.resize(change->old_size);
    }
    for (const Change& change : record.unsynced) {
      const auto stays = [&] {
        return change.is_durable || (survival && ((*survival)() & 1) != 0);
      };
      if (change.is_truncation) {
        if (stays()) file.resize(change.offset);
        continue;
      }
      const auto end = change.offset + static_cast<sqlite3_int64>(change.new_bytes.size());
      for (sqlite3_int64 from = change.offset; from < end;) {
        const sqlite3_int64 to = std::min(end, (from / k_sector + 1) * k_sector);
        if (stays()) {
          file.write(change.new_bytes.data() + (from - change.offset),
                     static_cast<std::size_t>(to - from), from);
        }
        from = to;
      }
    }
  }

  struct TornWrite {
    ShimFile* file = nullptr;
    const char* bytes = nullptr;
    int length = 0;
    sqlite3_int64 offset = 0;
  };

  // Constant after construction.
  Syncs syncs;
  sqlite3_vfs* beneath;
  sqlite3_vfs vfs;
  sqlite3_io_methods methods{};

  mutable std::mutex mutex;
  // Guarded by mutex.
  std::optional<Fault> fault;
  bool happened = false;
  std::array<std::int64_t, k_file_operations> counts{};
  std::int64_t all = 0;
  bool is_dead = false;
  bool power_was_cut = false;
  int open_files = 0;
  std::map<std::string, FileRecord> records;
  std::set<std::string> databases;  ///< paths that were opened
  TornWrite torn_write;             ///< the write that is being counted
};

FaultyVfs::FaultyVfs(Syncs syncs) : private_(std::make_unique<Private>(syncs)) {}
FaultyVfs::~FaultyVfs() = default;

void FaultyVfs::arm(const Fault& fault) {
  const std::lock_guard lock(private_->mutex);
  private_->fault = fault;
  private_->happened = false;
  private_->counts = {};
  private_->all = 0;
}

bool FaultyVfs::fault_happened() const {
  const std::lock_guard lock(private_->mutex);
  return private_->happened;
}

std::int64_t FaultyVfs::count(FileOperation operation) const {
  const std::lock_guard lock(private_->mutex);
  return private_->counts[static_cast<std::size_t>(operation)];
}

std::int64_t FaultyVfs::count_all() const {
  const std::lock_guard lock(private_->mutex);
  return private_->all;
}

void FaultyVfs::kill() {
  const std::lock_guard lock(private_->mutex);
  private_->is_dead = true;
}

void FaultyVfs::cut_power(std::optional<std::uint64_t> survivors_seed) {
  const std::lock_guard lock(private_->mutex);
  private_->lose_power(survivors_seed);
}

void FaultyVfs::restart() {
  const std::lock_guard lock(private_->mutex);
  if (private_->open_files != 0) {
    throw std::logic_error("FaultyVfs::restart() with open connections");
  }
  private_->fault.reset();
  private_->happened = false;
  private_->is_dead = false;
  if (!std::exchange(private_->power_was_cut, false)) return;
  for (const std::string& database : private_->databases) {
    std::filesystem::remove(database + "-shm");
  }
}

}  // namespace diskrelease
