#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "evidence/anchor_file.h"
#include "store/database.h"

namespace diskrelease {

/// Where databases were last worked on by processes of this machine, and how far they were: a file
/// for each, named by its chain, in folders that outlive the database. It shows that a database is
/// a copy of one that is still there, that the file has a second name by a bind mount, and that an
/// older copy was put back together with its anchors.
///
/// A file: `diskrelease-database 1 DEVICE INODE`, an anchor (anchor_file.h), and the path, which
/// may have line feeds in it.
class DatabaseRegister {
 public:
  /// For the database at `path`, which has no other name: absolute, without links. The folders are
  /// made when something is entered, with the mode of the folder above, or 0700 with it.
  DatabaseRegister(std::filesystem::path path, std::vector<std::filesystem::path> folders);

  struct Entry {
    std::filesystem::path file;  ///< of the register
    std::filesystem::path path;  ///< of the database
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    Anchor latest;
  };
  /// What is known of a chain, at most one entry a folder. A file that cannot be read, or
  /// understood, says nothing.
  [[nodiscard]] std::vector<Entry> find(const std::string& chain) const;

  /// Throws AuditUnusable when this very file is known under another name that has a write-ahead
  /// log of its own. Its chain need not be known: all of it may be in that log.
  void require_the_only_name() const;

  /// Throws AuditUnusable, naming both, when the entry is about another file that is still there
  /// and is a database of the same chain. Otherwise says where the database has been moved from, if
  /// it has. Precondition: require_the_only_name() has passed.
  [[nodiscard]] std::optional<std::string> require_the_only_one(const Entry& entry) const;

  /// Replaces the entry of the chain in every folder. Says why it cannot; empty = it has.
  [[nodiscard]] std::string enter(const Anchor& anchor) const;

 private:
  std::filesystem::path path_;
  std::vector<std::filesystem::path> folders_;
};

}  // namespace diskrelease
