#include "custody/evidence_bundle.h"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <set>
#include <string_view>

#include "custody/embedded_bundle.h"
#include "evidence/kinds.h"
#include "model/errors.h"
#include "model/visible_text.h"
#include "platform/sha256.h"
#include "report/rows.h"
#include "report/table.h"

namespace diskrelease {
namespace {

/// What is in a bundle to be read, as a query of its extract.
struct ReadableFile {
  std::string_view name;
  std::string query;
};
std::vector<ReadableFile> readable_files() {
  std::vector<ReadableFile> files;
  for (const Kind& kind : k_kinds) {
    if (kind.exported.empty()) continue;
    files.push_back(
        {kind.exported, kind.export_query.empty()
                            ? select_rows(kind, " ORDER BY " + std::string(key_of(kind)))
                            : std::string(kind.export_query)});
  }
  return files;
}

/// A kind as check.sh takes it: what begins its entries, its table, its key, its columns.
std::string words_of(const Kind& kind) {
  std::array<char, 3> number{};
  static_cast<void>(
      std::snprintf(number.data(), number.size(), "%02X", static_cast<unsigned>(kind.kind)));
  std::string columns(kind.columns);
  std::erase(columns, ',');
  std::string words(number.data());
  words.append(" ").append(kind.table).append(" ").append(key_of(kind)).append(" ");
  return words.append(columns);
}

constexpr std::string_view k_manifest = "manifest.sha256";

[[noreturn]] void fail(const std::filesystem::path& file, const char* doing, int error) {
  throw UsageError(visible(file.string()) + ": " + doing + ": " +
                   std::strerror(error == 0 ? EIO : error));
}

void write_file(const std::filesystem::path& file, const std::function<void(std::ostream&)>& fill) {
  errno = 0;
  std::ofstream out(file, std::ios::binary);
  fill(out);
  out.close();
  if (!out) fail(file, "cannot be written", errno);
}

void write_file(const std::filesystem::path& file, std::string_view text) {
  write_file(file, [&](std::ostream& out) { out << text; });
}

/// Feeds a file to `take`, piece by piece.
void read_file(const std::filesystem::path& file,
               const std::function<void(std::string_view)>& take) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  std::vector<char> buffer(std::size_t{64} * 1024);
  while (in) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    take({buffer.data(), static_cast<std::size_t>(in.gcount())});
  }
  if (!in.eof()) fail(file, "cannot be read", errno);
}

std::set<std::string> names_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

void write_csv(Database& extract, const ReadableFile& file, const std::filesystem::path& path) {
  write_file(path, [&](std::ostream& out) {
    Statement select = extract.prepare(file.query);
    const auto count = static_cast<std::size_t>(select.columns());
    std::vector<std::string> columns;
    columns.reserve(count);
    for (int i = 0; i < select.columns(); ++i) columns.emplace_back(select.name(i));
    Table table(out, TableFormat::csv, std::move(columns));
    while (select.step()) {
      std::vector<Cell> cells;
      cells.reserve(count);
      for (int i = 0; i < select.columns(); ++i) cells.push_back(cell_of(select, i));
      table.add(std::move(cells));
    }
    table.finish();
  });
}

/// The rows of a readable file as JSON, made by SQLite, so that check.sh can make the same again.
std::string json_query(Database& extract, const ReadableFile& file) {
  const Statement select = extract.prepare(file.query);
  std::string fields;
  for (int i = 0; i < select.columns(); ++i) {
    fields += i == 0 ? "'" : ", '";
    fields += select.name(i);
    fields += "', ";
    fields += select.name(i);
  }
  return "SELECT json_object(" + fields + ") FROM (" + file.query + ")";
}

void write_lines(Database& extract, const std::string& query, const std::filesystem::path& path) {
  write_file(path, [&](std::ostream& out) {
    Statement select = extract.prepare(query);
    while (select.step()) out << select.text(0) << '\n';
  });
}

std::string describe(const RunRecord& run, const BundleDetails& details,
                     const ExtractedChain& chain) {
  return "Run " + std::to_string(run.id.value) + " (" + visible(run.description.name) + "), goal " +
         std::string(to_text(run.description.goal)) + ", at " + visible(run.description.endpoint) +
         "\nof the list " + visible(run.description.list_source) + ", enrolled " +
         format_utc(run.created) + "\n\nMade " + format_utc(details.made) + " by diskrelease " +
         details.tool_version + "; chain " + chain.chain + ",\nblocks " +
         std::to_string(chain.first_block) + " to " + std::to_string(chain.last_block) +
         ", the last one with the hash\n" + chain.last_hash;
}

/// The definitions of a database's tables and views, as check.sh digests them.
std::string schema_digest(Database& extract) {
  Statement schema = extract.prepare(
      "SELECT type || '|' || name || '|' || tbl_name || '|' || hex(coalesce(sql, ''))"
      " FROM sqlite_schema ORDER BY type, name");
  Sha256 digest;
  while (schema.step()) {
    digest.update(schema.text(0));
    digest.update("\n");
  }
  return digest.finish_hex();
}

void replace(std::string& text, std::string_view place, const std::string& by) {
  text.replace(text.find(place), place.size(), by);
}

void write_check(Database& extract, const std::filesystem::path& file) {
  std::string rows;
  std::string bulk;
  std::string left_out;
  std::string numbers;
  for (const Kind& kind : k_kinds) {
    const std::string words = words_of(kind) + '\n';
    numbers.append(numbers.empty() ? "" : "|").append(words.substr(0, 2));
    if (kind.entered == Entered::by_row) rows += words;
    if (kind.entered == Entered::with_its_run) bulk += words;
    // What belongs to a row here, and would have its entry even where it was left out.
    if (kind.kind == EvidenceKind::items || kind.keys == Keys::of_owner) {
      const Kind& owner = kind.kind == EvidenceKind::items ? kind : kind_of(kind.owner);
      left_out.append(left_out.empty() ? "" : " UNION ALL ").append("SELECT printf('");
      left_out.append(words.substr(0, 2)).append("-%016X', ").append(key_of(owner));
      left_out.append(") FROM ").append(owner.table);
    }
  }
  std::string readable;
  std::string names;
  for (const ReadableFile& each : readable_files()) {
    names.append(names.empty() ? "" : "|").append(each.name);
    readable += "readable " + std::string(each.name) + " \"" + json_query(extract, each) + "\"\n";
  }
  std::string text(k_bundle_check);
  replace(text, "@SCHEMA@", schema_digest(extract));
  replace(text, "@ROWS@\n", rows);
  replace(text, "@BULK@\n", bulk);
  replace(text, "@LEFT_OUT@", left_out);
  replace(text, "@NUMBERS@", numbers);
  replace(text, "@READABLE@\n", readable);
  replace(text, "@READABLE_NAMES@", names);
  write_file(file, text);
}

void write_readme(const std::string& run, const std::filesystem::path& file) {
  std::string text(k_bundle_readme);
  replace(text, "@RUN@", run);
  write_file(file, text);
}

void write_manifest(const std::filesystem::path& folder, const SigningKey* key) {
  std::string manifest;
  for (const std::string& name : names_in(folder)) {
    Sha256 digest;
    read_file(folder / name, [&](std::string_view bytes) { digest.update(bytes); });
    manifest += digest.finish_hex() + "  " + name + '\n';
  }
  write_file(folder / k_manifest, manifest);
  if (key != nullptr) {
    write_file(folder / (std::string(k_manifest) + ".sig"), key->sign(manifest));
  }
}

}  // namespace

ExtractedChain write_bundle(Database& database, const RunRecord& run, const BundleDetails& details,
                            const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0) fail(folder, "cannot be made", errno);
  const std::filesystem::path extract_file = folder / "evidence.db";
  ExtractedChain chain = make_extract(database, run, extract_file);
  {
    Database extract(extract_file, Database::Access::read_only);
    write_lines(extract, "SELECT disk_id FROM item ORDER BY item_id", folder / "list.txt");
    for (const ReadableFile& file : readable_files()) {
      const std::string name(file.name);
      write_csv(extract, file, folder / (name + ".csv"));
      write_lines(extract, json_query(extract, file), folder / (name + ".ndjson"));
    }
    write_check(extract, folder / "check.sh");
  }
  write_file(folder / "anchors.txt", [&](std::ostream& out) {
    for (const std::string& line : details.anchors) out << line << '\n';
  });
  write_readme(describe(run, details, chain), folder / "README.txt");
  if (details.key) write_file(folder / "public_key.pem", details.key->public_key());
  write_manifest(folder, details.key.get());
  return chain;
}

namespace {

constexpr std::size_t k_tar_block = 512;

/// A number as ustar has it: octal digits that fill the field but for a NUL.
void put_octal(char* field, std::size_t width, std::uint64_t number) {
  static_cast<void>(std::snprintf(field, width, "%0*llo", static_cast<int>(width - 1),
                                  static_cast<unsigned long long>(number)));
}

/// The header of a regular file (POSIX.1-2017, pax, "ustar Interchange Format").
std::array<char, k_tar_block> tar_header(const std::string& name, std::uint64_t size,
                                         std::uint64_t modified_s) {
  std::array<char, k_tar_block> header{};
  constexpr std::size_t k_name_width = 100;
  // Longer names need a second field; those of a bundle do not come near.
  if (name.size() > k_name_width || size >= (std::uint64_t{1} << 33U)) {
    throw UsageError(visible(name) +
                     ": the name is too long, or the file larger than 8 GiB, for a "
                     "tar file; export into a folder instead");
  }
  name.copy(header.data(), k_name_width);
  put_octal(header.data() + 100, 8, 0600);
  put_octal(header.data() + 108, 8, 0);
  put_octal(header.data() + 116, 8, 0);
  put_octal(header.data() + 124, 12, size);
  put_octal(header.data() + 136, 12, modified_s);
  std::memset(header.data() + 148, ' ', 8);
  header[156] = '0';
  std::memcpy(header.data() + 257,
              "ustar\0"
              "00",
              8);
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  static_cast<void>(std::snprintf(header.data() + 148, 7, "%06o", sum));
  return header;
}

}  // namespace

void write_tar(const std::filesystem::path& folder, const std::string& name_in_tar,
               const std::filesystem::path& tar) {
  write_file(tar, [&](std::ostream& out) {
    static constexpr std::array<char, 2 * k_tar_block> k_end{};
    for (const std::string& name : names_in(folder)) {
      struct stat status {};
      if (::stat((folder / name).c_str(), &status) != 0)
        fail(folder / name, "cannot be read", errno);
      const auto size = static_cast<std::uint64_t>(status.st_size);
      const auto header = tar_header((std::filesystem::path(name_in_tar) / name).string(), size,
                                     static_cast<std::uint64_t>(status.st_mtime));
      out.write(header.data(), header.size());
      read_file(folder / name, [&](std::string_view bytes) { out << bytes; });
      out.write(k_end.data(),
                static_cast<std::streamsize>((k_tar_block - size % k_tar_block) % k_tar_block));
    }
    out.write(k_end.data(), k_end.size());
  });
  std::filesystem::permissions(
      tar, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

}  // namespace diskrelease
