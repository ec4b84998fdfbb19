#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "store/database.h"

namespace diskrelease {

/// Makes a new audit database (mode 0600), with its folder. `on_lock_wait` is told of locks of
/// others, here and below also while the connection is in use later on. Throws AuditUnusable when
/// something stands at the path already. Creating and opening are two functions so that a mistyped
/// path never creates a database.
void create_audit_database(const std::filesystem::path& path,
                           const LockWaitListener& on_lock_wait = {});

using DatabaseInspector = std::function<void(Database&)>;

/// Opens an existing audit database for the one writer: WAL, synchronous=FULL, both checked after
/// setting. An older version is copied to FILE.vN.bak, whole and durable, then migrated in one
/// transaction; derived tables are made again where they are missing, and brought up to date.
/// Throws AuditUnusable for a missing file, one that this user may not write, one with several hard
/// links, a file of another program, a sealed archive, a newer version, a damaged file, one whose
/// tables, views or triggers are not those of this program. The caller holds the database's lock.
///
/// `inspect` is called before anything is written, with a connection for reading; what it throws
/// leaves the database as it was found. May be empty.
[[nodiscard]] Database open_audit_for_writing(const std::filesystem::path& path,
                                              const DatabaseInspector& inspect = {},
                                              const LockWaitListener& on_lock_wait = {});

/// Throws what open_audit_for_writing() would throw for a file that is missing, of another program
/// or of a newer version. Leaves it as it is, and takes no lock.
void require_audit_database(const std::filesystem::path& path,
                            const LockWaitListener& on_lock_wait = {});

/// Opens an existing audit database or a sealed archive, of any version, read-only; may be
/// used while a writer works. Where derived tables are missing, it makes its own, which takes a
/// while for a large database. Throws AuditUnusable as open_audit_for_writing() does: what is not
/// ours in a file is never run.
[[nodiscard]] Database open_audit_for_reading(const std::filesystem::path& path);

/// The same for who reads while this process writes: what a connection keeps of the file is out of
/// date with each commit, so it keeps little (256 KiB).
[[nodiscard]] Database open_audit_beside_writer(const std::filesystem::path& path);

/// As open_audit_for_reading(), for who asks for evidence only: derived tables may be missing.
[[nodiscard]] Database open_evidence_for_reading(const std::filesystem::path& path);

/// The same whatever tables, views and triggers the file has: for verify_audit(), which compares
/// them before it reads anything else. Nobody else may ask such a file.
[[nodiscard]] Database open_for_verification(const std::filesystem::path& path);

/// Copies a database as it is at one moment, without unused pages, into an empty file that is
/// there; a writer may work meanwhile. The copy is not durable yet. Throws AuditUnusable, also for
/// a file that has content.
void copy_database(Database& database, const std::filesystem::path& empty_file);

}  // namespace diskrelease
