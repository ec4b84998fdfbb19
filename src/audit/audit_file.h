#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "audit/database.h"

namespace diskrelease {

/// What makes an SQLite file an audit database of ours: "DRLS".
inline constexpr std::int64_t k_audit_application_id = 0x44524C53;

/// Makes a new audit database (mode 0600), with its folder. Throws AuditUnusable when something
/// stands at the path already. Creating and opening are two functions so that a mistyped path never
/// creates a database.
void create_audit_database(const std::filesystem::path& path);

/// Opens an existing audit database for the one writer: WAL, synchronous=FULL, both checked after
/// setting. An older version is backed up beside the file and migrated in one transaction; derived
/// tables are made again where they are missing, and brought up to date. Throws AuditUnusable for a
/// missing file, one with several hard links, a file of another program, a sealed archive, a newer
/// version, a damaged file. The caller holds the database's lock.
///
/// `inspect` is called before anything is written, with a connection for reading; what it throws
/// leaves the database as it was found.
[[nodiscard]] Database open_audit_for_writing(const std::filesystem::path& path,
                                              const std::function<void(Database&)>& inspect = {});

/// Throws what open_audit_for_writing() would throw for a file that is missing, of another program
/// or of a newer version. Leaves it as it is, and takes no lock.
void require_audit_database(const std::filesystem::path& path);

/// Opens an existing audit database of the current version or a sealed archive, read-only; may be
/// used while a writer works. Where derived tables are missing, it makes its own, which takes a
/// while for a large database.
[[nodiscard]] Database open_audit_for_reading(const std::filesystem::path& path);

/// The same for who reads while this process writes: what a connection keeps of the file is out of
/// date with each commit, so it keeps little (256 KiB).
[[nodiscard]] Database open_audit_beside_writer(const std::filesystem::path& path);

/// As open_audit_for_reading(), for who asks for evidence only: derived tables may be missing.
[[nodiscard]] Database open_evidence_for_reading(const std::filesystem::path& path);

/// Copies a database as it is at one moment, without unused pages, into an empty file that is
/// there; a writer may work meanwhile. The copy is not durable yet. Throws AuditUnusable, also for
/// a file that has content.
void copy_database(Database& database, const std::filesystem::path& empty_file);

}  // namespace diskrelease
