#include "custody/archive_list.h"

#include <utility>

#include "model/visible_text.h"
#include "report/json_object.h"

namespace diskrelease {

std::string archives_json(const std::vector<ArchiveRecord>& archives) {
  std::string list;
  for (const ArchiveRecord& archive : archives) {
    JsonObject object;
    object.add("archive_id", archive.id)
        .add("file", archive.file)
        .add("runs", archive.runs)
        .add("items", archive.items)
        .add("chain_block", archive.block)
        .add_optional("chain_hash", archive.hash)
        .add("user", archive.user)
        .add("host", archive.host)
        .add("before", format_utc(archive.before))
        .add("created", format_utc(archive.created));
    list += (list.empty() ? "" : ",") + std::move(object).text();
  }
  return '[' + list + ']';
}

std::string describe(const ArchiveRecord& archive) {
  return std::to_string(archive.runs) + (archive.runs == 1 ? " run, " : " runs, ") +
         std::to_string(archive.items) + (archive.items == 1 ? " disk, by " : " disks, by ") +
         visible(archive.user) + '@' + visible(archive.host) + " on " + format_utc(archive.created);
}

}  // namespace diskrelease
