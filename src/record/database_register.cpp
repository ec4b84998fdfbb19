#include "record/database_register.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "model/errors.h"
#include "model/visible_text.h"
#include "record/audit_file.h"

namespace diskrelease {
namespace {

constexpr std::string_view k_form = "diskrelease-database 1";

bool is_same_file(const std::filesystem::path& one, const std::filesystem::path& other) {
  std::error_code error;
  return std::filesystem::equivalent(one, other, error) && !error;
}

std::optional<DatabaseRegister::Entry> read_entry(const std::filesystem::path& file,
                                                  const std::string& chain) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return std::nullopt;
  std::ifstream in(file, std::ios::binary);
  std::ostringstream read;
  read << in.rdbuf();
  const std::string text = read.str();
  if (text.empty()) return std::nullopt;
  const std::size_t first = text.find('\n');
  const std::size_t second = first == std::string::npos ? first : text.find('\n', first + 1);
  if (second == std::string::npos || text.back() != '\n' || !text.starts_with(k_form)) {
    return std::nullopt;
  }
  DatabaseRegister::Entry entry;
  std::istringstream numbers(text.substr(k_form.size(), first - k_form.size()));
  const auto anchor = parse_anchor(std::string_view(text).substr(first + 1, second - first - 1));
  if (!(numbers >> entry.device >> entry.inode) || !anchor || anchor->head.chain != chain) {
    return std::nullopt;
  }
  entry.file = file;
  entry.latest = *anchor;
  entry.path = text.substr(second + 1, text.size() - second - 2);
  return entry;
}

/// The chain of the database at the path; nullopt = it cannot be told.
std::optional<std::string> chain_at(const std::filesystem::path& path) {
  try {
    Database database = open_evidence_for_reading(path);
    return read_chain_head(database).chain;
  } catch (const AuditUnusable&) {
    return std::nullopt;
  }
}

/// Durable and whole, or what was there before.
std::string replace_file(const std::filesystem::path& file, const std::string& text) {
  const auto failure = [&] { return visible(file.string()) + ": " + std::strerror(errno); };
  const std::filesystem::path unfinished = std::filesystem::path(file) +=
      "." + std::to_string(::getpid());
  const int descriptor =
      ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (descriptor < 0) return failure();
  const bool written =
      ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(descriptor) == 0;
  std::string problem = written ? "" : failure();
  ::close(descriptor);
  if (written && ::rename(unfinished.c_str(), file.c_str()) != 0) problem = failure();
  if (!problem.empty()) ::unlink(unfinished.c_str());
  return problem;
}

/// Whether it could be made shows when something is written there. Who may write to the folder
/// above may write to this one, but for everybody.
void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  const std::filesystem::path above = folder.parent_path();
  if (std::filesystem::create_directories(above, error)) ::chmod(above.c_str(), 0700);
  struct stat status {};
  if (::stat(above.c_str(), &status) == 0 && ::mkdir(folder.c_str(), 0700) == 0) {
    ::chmod(folder.c_str(), status.st_mode & 02775U);
  }
}

}  // namespace

DatabaseRegister::DatabaseRegister(std::filesystem::path path,
                                   std::vector<std::filesystem::path> folders)
    : path_(std::move(path)), folders_(std::move(folders)) {}

std::vector<DatabaseRegister::Entry> DatabaseRegister::find(const std::string& chain) const {
  std::vector<Entry> entries;
  for (const std::filesystem::path& folder : folders_) {
    if (auto entry = read_entry(folder / chain, chain)) entries.push_back(std::move(*entry));
  }
  return entries;
}

void DatabaseRegister::require_the_only_name() const {
  for (const std::filesystem::path& folder : folders_) {
    std::error_code error;
    for (const auto& file : std::filesystem::directory_iterator(folder, error)) {
      const auto entry = read_entry(file.path(), file.path().filename().string());
      if (!entry || entry->path == path_ || !is_same_file(entry->path, path_)) continue;
      // A folder that is mounted in a second place has the same write-ahead log there.
      if (is_same_file(entry->path.parent_path(), path_.parent_path()) &&
          entry->path.filename() == path_.filename()) {
        continue;
      }
      const std::string known = visible(entry->path.string());
      std::string text = "audit database ";
      text.append(visible(path_.string())).append(": is the same file as ").append(known);
      text +=
          ", where it was last worked on\n  why:  SQLite finds the write-ahead log by the name: "
          "through another name (a bind mount) the latest records are missing, and the file can be "
          "ruined\n  fix:  use --db ";
      text.append(known).append("\nNothing was sent or written.");
      throw AuditUnusable(text);
    }
  }
}

std::optional<std::string> DatabaseRegister::require_the_only_one(const Entry& entry) const {
  if (entry.path == path_ || is_same_file(entry.path, path_)) return std::nullopt;
  const std::string known = visible(entry.path.string());
  struct stat there {};
  const bool is_there = ::stat(entry.path.c_str(), &there) == 0;
  const std::optional<std::string> chain = is_there ? chain_at(entry.path) : std::nullopt;
  const bool is_copy =
      is_there && (chain ? *chain == entry.latest.head.chain
                         : there.st_dev == entry.device && there.st_ino == entry.inode);
  if (!is_copy) {
    return "note: the audit database was at " + known + " before and is at " +
           visible(path_.string()) + " now";
  }
  throw AuditUnusable(
      "audit database " + visible(path_.string()) + ": is a copy of " + known +
      ", which was last worked on " + format_utc(entry.latest.time) + " (block " +
      std::to_string(entry.latest.head.block) +
      ")\n  why:  each of two copies does not know what the other one has released: to send a disk "
      "again destroys it where it is in the recycle bin\n  fix:  use --db " +
      known +
      "; or, if this file takes its place, remove or rename that one first\nNothing was sent or "
      "written.");
}

std::string DatabaseRegister::enter(const Anchor& anchor) const {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) return visible(path_.string()) + ": is not there";
  const std::string text = std::string(k_form) + ' ' + std::to_string(status.st_dev) + ' ' +
                           std::to_string(status.st_ino) + '\n' + anchor_line(anchor) + '\n' +
                           path_.string() + '\n';
  std::string problem = folders_.empty() ? "there is no folder for it" : "";
  for (const std::filesystem::path& folder : folders_) {
    make_folder(folder);
    const std::string why = replace_file(folder / anchor.head.chain, text);
    if (problem.empty()) problem = why;
  }
  return problem;
}

}  // namespace diskrelease
